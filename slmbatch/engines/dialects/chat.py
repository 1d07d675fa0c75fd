"""How servers that speak OpenAI chat completions differ: request fields, error bodies, what they tell. Nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from slmbatch.chat import NO_USAGE, Choice, Completion, JsonShape, Request, Shape, Token, Usage, believed
from slmbatch.engines.dialects.pictures import chat_content
from slmbatch.errors import ContextTooLong, Forbidden, MalformedReply, Refused, Rejected, RequestError
from slmbatch.tasks.grammar import grammar

SEED = 20_240_229  # any constant: the same question gets the same answer where a server honours it
CONTEXT_ERRORS = frozenset({"exceed_context_size_error", "context_length_exceeded", "request_too_large"})
CONTEXT_PARAMS = frozenset({"input_tokens"})  # vLLM
FORBIDDEN = frozenset({401, 403, 404})
ERROR_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class ChatDialect:
    """What one family of these servers takes and tells.

    `grammar`: takes GBNF (else `response_format`), in a field of its own or, with `structured_outputs`, as vLLM takes
    it. `top_logprobs` is the most it tells. `max_tokens` is the name of that field, `unsupported` the schema keywords
    that strict decoding refuses. `schema`: takes one (else it is part of the prompt). `temperature` and `seed`: takes
    these. `effort`: how much to reason, None as the model does by itself.
    """

    grammar: bool
    top_logprobs: int
    structured_outputs: bool = False
    max_tokens: str = "max_tokens"
    unsupported: frozenset[str] = frozenset()
    schema: bool = True
    temperature: bool = True
    seed: bool = True
    effort: str | None = None
    path: str = "/chat/completions"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def encoder(self, model: str) -> ChatEncoder:
        return ChatEncoder(self, model)

    def decode(self, content: bytes) -> Completion:
        return _decode(content)

    def refusal(self, status: int, content: bytes) -> RequestError:
        return refusal(status, content)


LLAMACPP = ChatDialect(grammar=True, top_logprobs=200)
COMPATIBLE = ChatDialect(grammar=False, top_logprobs=20, unsupported=frozenset({"maxLength"}))
VLLM = ChatDialect(grammar=True, top_logprobs=1000, structured_outputs=True)
OPENAI = replace(COMPATIBLE, max_tokens="max_completion_tokens")  # newer models there refuse the old name


class ChatEncoder:
    """Turn requests into bodies. The shape's translation is remembered, as it is the same for every row of a run."""

    def __init__(self, dialect: ChatDialect, model: str) -> None:
        self._dialect = dialect
        self._model = model
        self._shapes: dict[Shape, dict[str, Any]] = {}

    def body(self, request: Request) -> bytes:
        dialect = self._dialect
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": chat_content(message)} for message in request.messages],
        }
        if dialect.temperature:
            fields["temperature"] = 0
        if dialect.seed:
            fields["seed"] = SEED
        fields[dialect.max_tokens] = request.max_tokens
        if dialect.effort:
            fields["reasoning_effort"] = dialect.effort
        if top := min(request.top_logprobs, dialect.top_logprobs):
            fields["logprobs"] = True
            fields["top_logprobs"] = top
        if isinstance(request.shape, JsonShape) and not dialect.schema:
            wanted = f"Reply with JSON of this schema and nothing else: {request.shape.schema}"
            fields["messages"].insert(0, {"role": "system", "content": wanted})
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
        if not self._dialect.schema:
            return {"response_format": {"type": "json_object"}}
        reduced = without(msgspec.json.decode(shape.schema), self._dialect.unsupported)
        schema = {"name": shape.name, "strict": True, "schema": reduced}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


def without(schema: Any, keywords: frozenset[str]) -> Any:
    """Drop keywords at every depth. Property names are never among them: they stand a level deeper."""
    if isinstance(schema, list):
        return [without(one, keywords) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in keywords}
    return {
        key: {name: without(one, keywords) for name, one in value.items()}
        if key == "properties"
        else without(value, keywords)
        for key, value in kept.items()
    }


class _Alternative(msgspec.Struct):
    token: str
    logprob: float
    utf8: list[int] | None = msgspec.field(name="bytes", default=None)

    def data(self) -> bytes:
        try:
            return self.token.encode() if self.utf8 is None else bytes(self.utf8)
        except ValueError as error:
            raise MalformedReply(f"the server tells a token whose bytes aren't bytes: {error}") from error


class _Entry(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Entry] | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_REPLIES = msgspec.json.Decoder(_Reply)


def _decode(body: bytes) -> Completion:
    try:
        reply = _REPLIES.decode(body)
        choice = reply.choices[0]
    except (msgspec.MsgspecError, IndexError) as error:
        raise MalformedReply(f"the server's reply is not a chat completion: {error}") from error
    usage = believed(_counted(reply.usage))
    cut_short = choice.finish_reason == "length"
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise _billed(Refused("the model, or a filter after it, declined to answer"), usage)
    if choice.message.content is None and not cut_short:  # reasoning may use up all that was allowed
        raise _billed(MalformedReply("the server's reply has no text (a tool call?)"), usage)
    logprobs = choice.logprobs.content if choice.logprobs else None
    return Completion(
        text=choice.message.content or "",
        tokens=None if logprobs is None else tuple(_token(entry) for entry in logprobs),
        usage=usage,
        cut_short=cut_short,
    )


def _token(entry: _Entry) -> Token:
    return Token(entry.data(), entry.logprob, tuple((one.data(), one.logprob) for one in entry.top_logprobs or ()))


def _billed(error: RequestError, usage: Usage) -> RequestError:
    error.billed = usage
    return error


def _counted(usage: _Usage | None) -> Usage:
    """Read a usage. Where the total counts more than prompt and completion (xAI, Gemini), the rest is reasoning."""
    if usage is None:
        return NO_USAGE
    read = usage.prompt_tokens_details or _InputDetails()
    reasoned = (usage.completion_tokens_details or _OutputDetails()).reasoning_tokens or 0
    output = max(usage.completion_tokens, usage.total_tokens - usage.prompt_tokens)
    return Usage(
        input_tokens=usage.prompt_tokens,
        cached_tokens=read.cached_tokens or usage.prompt_cache_hit_tokens or 0,
        output_tokens=output,
        cache_write_tokens=read.cache_write_tokens or 0,
        reasoning_tokens=max(reasoned, output - usage.completion_tokens),
    )


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class _Refusal(msgspec.Struct):
    error: _Error


def refusal(status: int, body: bytes) -> RequestError:
    """Translate an error status; Anthropic's errors have the same fields."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.MsgspecError:
        error = _Error(body.decode("utf-8", "replace"))
    message = error.message[:ERROR_EXCERPT]
    if {error.type, error.code} & CONTEXT_ERRORS or error.param in CONTEXT_PARAMS:
        return ContextTooLong(f"the text is too long for the model's context: {message}")
    if status in FORBIDDEN:
        return Forbidden(f"the server refused access with status {status}: {message}")
    return Rejected(f"the server refused the request with status {status}: {message}")
