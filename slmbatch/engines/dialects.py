"""How servers that speak OpenAI chat completions differ: request fields, error bodies, what they tell. Nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from slmbatch.errors import ContextTooLong, Forbidden, MalformedReply, Rejected, RequestError
from slmbatch.tasks.grammar import grammar
from slmbatch.types import Choice, Completion, Request, Shape, Token, Usage

SEED = 20_240_229  # any constant: the same question gets the same answer where a server honours it
CONTEXT_ERRORS = frozenset({"exceed_context_size_error", "context_length_exceeded"})
FORBIDDEN = frozenset({401, 403})
ERROR_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one family of servers takes and tells.

    `grammar`: takes GBNF (else `response_format`). `raw_logprobs`: logprobs are taken before the grammar's mask.
    `tokenizer`: has /tokenize with pieces. `max_tokens` is the name of that field.
    """

    grammar: bool
    raw_logprobs: bool
    top_logprobs: int
    tokenizer: bool
    max_tokens: str = "max_tokens"


LLAMACPP = Dialect(grammar=True, raw_logprobs=True, top_logprobs=200, tokenizer=True)
OPENAI = Dialect(grammar=False, raw_logprobs=False, top_logprobs=20, tokenizer=False)


class Encoder:
    """Turn requests into bodies. The shape's translation is remembered, as it is the same for every row of a run."""

    def __init__(self, dialect: Dialect, model: str) -> None:
        self._dialect = dialect
        self._model = model
        self._shapes: dict[Shape, dict[str, Any]] = {}

    def body(self, request: Request) -> bytes:
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": 0,
            "seed": SEED,
            self._dialect.max_tokens: request.max_tokens,
        }
        if request.top_logprobs:
            fields["logprobs"] = True
            fields["top_logprobs"] = min(request.top_logprobs, self._dialect.top_logprobs)
        return orjson.dumps(fields | self._shape(request.shape))

    def _shape(self, shape: Shape) -> dict[str, Any]:
        if shape not in self._shapes:
            self._shapes[shape] = self._translate(shape)
        return self._shapes[shape]

    def _translate(self, shape: Shape) -> dict[str, Any]:
        if self._dialect.grammar:
            return {"grammar": grammar(shape)}
        assert not isinstance(shape, Choice)  # the task asks such engines for JSON
        schema = {"name": shape.name, "strict": True, "schema": orjson.loads(shape.schema)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


def decode(body: bytes) -> Completion:
    """Read the body of a 200. Raises MalformedReply when it isn't a completion."""
    try:
        content = orjson.loads(body)
        choice = content["choices"][0]
        text = choice["message"]["content"]
        logprobs = choice.get("logprobs")
        tokens = _tokens(logprobs["content"]) if logprobs and logprobs.get("content") is not None else None
        usage = _usage(content.get("usage") or {})
        cut_short = choice.get("finish_reason") == "length"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        excerpt = body[:ERROR_EXCERPT].decode("utf-8", "replace")
        raise MalformedReply(f"the server's reply is not a chat completion: {excerpt!r}") from error
    if not isinstance(text, str):
        raise MalformedReply("the server's reply has no text (refused, or a tool call).")
    return Completion(text, tokens, usage, cut_short)


def _tokens(entries: list[dict[str, Any]]) -> tuple[Token, ...]:
    return tuple(
        Token(
            _data(entry),
            float(entry["logprob"]),
            tuple((_data(one), float(one["logprob"])) for one in entry.get("top_logprobs") or ()),
        )
        for entry in entries
    )


def _data(entry: dict[str, Any]) -> bytes:
    data = entry.get("bytes")
    return bytes(data) if data is not None else str(entry["token"]).encode()


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        int(usage.get("prompt_tokens") or 0),
        int(details.get("cached_tokens") or 0),
        int(usage.get("completion_tokens") or 0),
    )


def refusal(status: int, body: bytes) -> RequestError:
    """Translate a final error status (not one that is retried) into the row's error."""
    kinds: set[str] = set()
    message = body[:ERROR_EXCERPT].decode("utf-8", "replace")
    try:
        error = orjson.loads(body)["error"]
        kinds = {str(error.get("type")), str(error.get("code"))}
        message = str(error.get("message") or message)[:ERROR_EXCERPT]
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    if kinds & CONTEXT_ERRORS:
        return ContextTooLong(f"the text is too long for the model's context: {message}")
    if status in FORBIDDEN:
        return Forbidden(f"the server refused access with status {status}: {message}")
    return Rejected(f"the server refused the request with status {status}: {message}")
