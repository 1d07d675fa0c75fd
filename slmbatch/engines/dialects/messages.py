"""Anthropic's Messages API. It tells no logprobs, and counts what its cache read and wrote beside the other input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slmbatch.chat import NO_USAGE, Choice, Completion, Request, Shape, Usage, believed
from slmbatch.engines.capabilities import UNREASONED, Model
from slmbatch.engines.dialects.chat import refusal, without
from slmbatch.engines.dialects.pictures import messages_content
from slmbatch.errors import MalformedReply, Refused, RequestError

VERSION = "2023-06-01"
UNSUPPORTED = frozenset({"maxLength"})
CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})


@dataclass(frozen=True, slots=True)
class MessagesDialect:
    """The Messages API, for a model that takes what `model` says."""

    model: Model
    path: str = "/messages"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})

    def encoder(self, model: str) -> MessagesEncoder:
        return MessagesEncoder(self.model, model)

    def decode(self, content: bytes) -> Completion:
        return _decode(content)

    def refusal(self, status: int, content: bytes) -> RequestError:
        return refusal(status, content)


class MessagesEncoder:
    """Turn requests into bodies. The shape's translation is remembered, as it is the same for every row of a run."""

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name
        self._shapes: dict[Shape, dict[str, Any]] = {}

    def body(self, request: Request) -> bytes:
        system = "\n\n".join(one.content for one in request.messages if one.role == "system")
        fields: dict[str, Any] = {
            "model": self._name,
            "max_tokens": request.max_tokens,
            "messages": [
                {"role": one.role, "content": messages_content(one)} for one in request.messages if one.role != "system"
            ],
        }
        if system:
            fields["system"] = system
        if self._model.temperature:
            fields["temperature"] = 0
        if self._model.effort == UNREASONED:
            fields["thinking"] = {"type": "disabled"}
        if request.shape not in self._shapes:
            self._shapes[request.shape] = self._translate(request.shape)
        return msgspec.json.encode(fields | self._shapes[request.shape])

    def _translate(self, shape: Shape) -> dict[str, Any]:
        assert not isinstance(shape, Choice)  # the task asks such engines for JSON
        schema = without(msgspec.json.decode(shape.schema), UNSUPPORTED)
        effort = {} if self._model.effort in {None, UNREASONED} else {"effort": self._model.effort}
        if self._model.structure == "schema":
            return {"output_config": {"format": {"type": "json_schema", "schema": schema}, **effort}}
        tool = {"name": shape.name, "description": "Give the answer.", "input_schema": schema}
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": shape.name}} | (
            {"output_config": effort} if effort else {}
        )


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    input: msgspec.Raw = msgspec.Raw(b"")


class _Details(msgspec.Struct):
    thinking_tokens: int = 0


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


_MESSAGES = msgspec.json.Decoder(_Message)


def _decode(content: bytes) -> Completion:
    try:
        message = _MESSAGES.decode(content)
    except msgspec.MsgspecError as error:
        raise MalformedReply(f"the server's reply is not a message: {error}") from error
    usage = believed(_counted(message.usage))
    if message.stop_reason == "refusal":
        refused = Refused("the model, or a filter before it, declined to answer")
        refused.billed = usage
        raise refused
    called = [bytes(one.input).decode("utf-8", "replace") for one in message.content if one.type == "tool_use"]
    text = called[0] if called else "".join(one.text for one in message.content if one.type == "text")
    return Completion(text=text, tokens=None, usage=usage, cut_short=message.stop_reason in CUT_SHORT)


def _counted(usage: _Usage | None) -> Usage:
    """Add up the input: what the cache read and wrote stands beside `input_tokens` there."""
    if usage is None:
        return NO_USAGE
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Usage(
        input_tokens=usage.input_tokens + read + written,
        cached_tokens=read,
        output_tokens=usage.output_tokens,
        cache_write_tokens=written,
        reasoning_tokens=usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0,
    )
