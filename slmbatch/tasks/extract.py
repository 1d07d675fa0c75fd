"""The extract task: its prompt and the reply's shape.

Every leaf may be null, so that a field the document lacks isn't invented. Amounts may be JSON numbers or strings: a
grammar that allows strings only makes small models lose every amount.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from slmbatch.chat import Capabilities, JsonShape, Message, Request
from slmbatch.tasks.schema import Field, Group, Items, Node, Schema
from slmbatch.types import Kind

PROMPT_VERSION = "extract-1"
TOKENS_PER_LEAF = 24  # key, punctuation and a value of ordinary length
LIST_LENGTH = 10  # items of a list that the reply's length allows for
TEXT_LENGTH, SHORT_LENGTH = 200, 40  # characters: a small model that loops is stopped here
HINTS = {
    Kind.DECIMAL: "number",
    Kind.INTEGER: "whole number",
    Kind.DATE: "date",
    Kind.BOOLEAN: "true or false",
    Kind.CURRENCY: "currency code",
}


@dataclass(frozen=True)
class ExtractTask:
    """Which values does the document state for the fields of the schema?"""

    schema: Schema
    name: str = field(default="extract", init=False)

    @cached_property
    def fingerprint(self) -> str:
        """What an answer depends on besides the document and the model."""
        return json.dumps([PROMPT_VERSION, self.schema.source], ensure_ascii=False)

    @cached_property
    def instructions(self) -> str:
        """The fixed part of the prompt."""
        lines = "\n".join(_described(self.schema.root, ""))
        return (
            "You read a document and copy values out of it. Reply with one JSON object with exactly the fields below. "
            "Copy every value as it is printed in the document. Use null for a value that the document doesn't state, "
            "and an empty list where there are no items.\n\nFields:\n" + lines
        )

    @cached_property
    def _shape(self) -> JsonShape:
        return JsonShape("fields", json.dumps(_decoding(self.schema.root), ensure_ascii=False))

    def shape(self, capabilities: Capabilities) -> JsonShape:  # noqa: ARG002  (the same for every engine)
        return self._shape

    @cached_property
    def max_tokens(self) -> int:
        return TOKENS_PER_LEAF * _leaf_count(self.schema.root)

    def request(
        self, text: str, capabilities: Capabilities, *, failed: Sequence[str] = (), parts: bool = False
    ) -> Request:
        """Ask about a text. `failed` is what an earlier reading got wrong; `parts`: the text leaves something out."""
        heading = "Document (parts of it):" if parts else "Document:"
        notes = "\n- ".join(["\n\nAn earlier reading failed:", *failed]) if failed else ""
        messages = (Message("system", self.instructions), Message("user", f"{heading}\n{text}{notes}"))
        # Alternatives aren't needed: a leaf's score comes from its own tokens. One is the least that servers tell.
        return Request(messages, self._shape, self.max_tokens, min(1, capabilities.top_logprobs))


def _described(node: Node, indent: str) -> Iterator[str]:
    assert isinstance(node, Group)
    for name, member in node.members:
        inner = member.item if isinstance(member, Items) else member
        about = [] if isinstance(member, Group) else [member.description] if member.description else []
        if isinstance(member, Items):
            about.append("a list")
        if isinstance(inner, Field):
            about += [HINTS[inner.kind]] if inner.kind in HINTS else []
            about += [f"one of: {', '.join(inner.enum)}"] if inner.enum else []
        yield f"{indent}- {name}" + (f": {'; '.join(about)}" if about else "")
        if isinstance(inner, Group):
            yield from _described(inner, indent + "  ")


def _decoding(node: Node) -> dict[str, Any]:
    """Return the schema that decoders are given: only what all of them support, every leaf nullable."""
    if isinstance(node, Group):
        properties = {name: _decoding(member) for name, member in node.members}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    if isinstance(node, Items):
        return {"type": "array", "items": _decoding(node.item)}
    if node.kind is Kind.ENUM:
        return {"anyOf": [{"type": "string", "enum": list(node.enum)}, {"type": "null"}]}
    if node.kind is Kind.BOOLEAN:
        return {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    text = {"type": "string", "maxLength": TEXT_LENGTH if node.kind is Kind.TEXT else SHORT_LENGTH}
    numbers = {Kind.DECIMAL: [{"type": "number"}], Kind.INTEGER: [{"type": "integer"}]}
    return {"anyOf": [*numbers.get(node.kind, []), text, {"type": "null"}]}


def _leaf_count(node: Node) -> int:
    """Leaves of a reply of ordinary length: lists count LIST_LENGTH times."""
    if isinstance(node, Group):
        return sum(_leaf_count(member) for _, member in node.members)
    return LIST_LENGTH * _leaf_count(node.item) if isinstance(node, Items) else 1
