"""How servers that speak OpenAI chat completions differ: request fields, error bodies, what they tell. Nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from slmbatch.chat import NO_USAGE, Choice, Completion, Request, Shape, Token, Usage
from slmbatch.errors import ContextTooLong, Forbidden, MalformedReply, Rejected, RequestError
from slmbatch.tasks.grammar import grammar

SEED = 20_240_229  # any constant: the same question gets the same answer where a server honours it
CONTEXT_ERRORS = frozenset({"exceed_context_size_error", "context_length_exceeded", "input_tokens"})  # vLLM: a param
FORBIDDEN = frozenset({401, 403, 404})
ERROR_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one family of servers takes and tells.

    `grammar`: takes GBNF (else `response_format`), in a field of its own or, with `structured_outputs`, as vLLM takes
    it. `top_logprobs` is the most it tells. `max_tokens` is the name of
    that field, `unsupported` the schema keywords that strict decoding refuses.
    """

    grammar: bool
    top_logprobs: int
    structured_outputs: bool = False
    max_tokens: str = "max_tokens"
    unsupported: frozenset[str] = frozenset()


LLAMACPP = Dialect(grammar=True, top_logprobs=200)
VLLM = Dialect(grammar=True, top_logprobs=1000, structured_outputs=True)
COMPATIBLE = Dialect(grammar=False, top_logprobs=20, unsupported=frozenset({"maxLength"}))
OPENAI = replace(COMPATIBLE, max_tokens="max_completion_tokens")  # newer models there refuse the old name


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
        return msgspec.json.encode(fields | self._shape(request.shape))

    def _shape(self, shape: Shape) -> dict[str, Any]:
        if shape not in self._shapes:
            self._shapes[shape] = self._translate(shape)
        return self._shapes[shape]

    def _translate(self, shape: Shape) -> dict[str, Any]:
        if self._dialect.structured_outputs:  # the same grammar as llama.cpp's, so that both may write the same replies
            held = {"choice": shape.options} if isinstance(shape, Choice) else {"grammar": grammar(shape)}
            return {"structured_outputs": held}
        if self._dialect.grammar:
            return {"grammar": grammar(shape)}
        assert not isinstance(shape, Choice)  # the task asks such engines for JSON
        reduced = _without(msgspec.json.decode(shape.schema), self._dialect.unsupported)
        schema = {"name": shape.name, "strict": True, "schema": reduced}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _without(schema: Any, keywords: frozenset[str]) -> Any:
    """Drop keywords at every depth. Property names are never among them: they stand a level deeper."""
    if isinstance(schema, list):
        return [_without(one, keywords) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in keywords}
    return {
        key: {name: _without(one, keywords) for name, one in value.items()}
        if key == "properties"
        else _without(value, keywords)
        for key, value in kept.items()
    }


class _Alternative(msgspec.Struct):
    token: str
    logprob: float
    utf8: list[int] | None = msgspec.field(name="bytes", default=None)

    def data(self) -> bytes:
        return self.token.encode() if self.utf8 is None else bytes(self.utf8)


class _Entry(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Entry] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_REPLIES = msgspec.json.Decoder(_Reply)


def decode(body: bytes) -> Completion:
    """Read the body of a 200. Raises MalformedReply when it isn't a completion."""
    try:
        reply = _REPLIES.decode(body)
        choice = reply.choices[0]
    except (msgspec.MsgspecError, IndexError) as error:
        raise MalformedReply(f"the server's reply is not a chat completion: {error}") from error
    usage = _counted(reply.usage)
    if choice.message.content is None:
        textless = MalformedReply("the server's reply has no text (refused, or a tool call)")
        textless.billed = usage
        raise textless
    logprobs = choice.logprobs.content if choice.logprobs else None
    return Completion(
        text=choice.message.content,
        tokens=None if logprobs is None else tuple(_token(entry) for entry in logprobs),
        usage=usage,
        cut_short=choice.finish_reason == "length",
    )


def _token(entry: _Entry) -> Token:
    return Token(entry.data(), entry.logprob, tuple((one.data(), one.logprob) for one in entry.top_logprobs or ()))


def _counted(usage: _Usage | None) -> Usage:
    if usage is None:
        return NO_USAGE
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(usage.prompt_tokens, cached or 0, usage.completion_tokens)


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class _Refusal(msgspec.Struct):
    error: _Error


def refusal(status: int, body: bytes) -> RequestError:
    """Translate a final error status (not one that is retried) into the row's error."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.MsgspecError:
        error = _Error(body.decode("utf-8", "replace"))
    message = error.message[:ERROR_EXCERPT]
    if {error.type, error.code, error.param} & CONTEXT_ERRORS:
        return ContextTooLong(f"the text is too long for the model's context: {message}")
    if status in FORBIDDEN:
        return Forbidden(f"the server refused access with status {status}: {message}")
    return Rejected(f"the server refused the request with status {status}: {message}")
