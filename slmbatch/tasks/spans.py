"""Reading a JSON reply with the place of every leaf, and keeping what is there when the reply breaks off."""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecoder

_STRINGS = JSONDecoder(strict=False)  # lenient about control characters inside strings
_HALF = re.compile(r"[\ud800-\udfff]")  # half a character: JSON can escape it, no file can hold it
_BLANK = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class LeafText:
    """One leaf as written. `start` and `end` are characters of the reply, quotes included; `text` is None for null.

    `literal` is true for what stands unquoted: numbers, true and false.
    """

    path: str
    text: str | None
    literal: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The leaves in order, and whether the reply was one whole JSON object."""

    leaves: tuple[LeafText, ...]
    whole: bool


class _BrokenError(Exception):
    """The reply isn't JSON from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.leaves: list[LeafText] = []

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        assert match is not None  # the pattern matches the empty string
        self.at = match.end()

    def expect(self, allowed: str) -> str:
        self.blank()
        if self.at >= len(self.text) or self.text[self.at] not in allowed:
            raise _BrokenError
        self.at += 1
        return self.text[self.at - 1]

    def peek(self) -> str:
        self.blank()
        return self.text[self.at : self.at + 1]

    def string(self) -> str:
        if self.peek() != '"':
            raise _BrokenError
        try:
            value, self.at = _STRINGS.raw_decode(self.text, self.at)
        except ValueError as error:
            raise _BrokenError from error
        return _HALF.sub("\ufffd", str(value))

    def value(self, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _BrokenError
        head = self.peek()
        if head == "{":
            self.members(path, depth)
        elif head == "[":
            self.items(path, depth)
        else:
            self.leaf(path, head)

    def leaf(self, path: str, head: str) -> None:
        start = self.at
        if head == '"':
            self.leaves.append(LeafText(path, self.string(), False, start, self.at))  # noqa: FBT003
            return
        match = _SCALAR.match(self.text, self.at)
        if match is None or match.end() == len(self.text):  # a number at the very end may have been cut
            raise _BrokenError
        self.at = match.end()
        text = match.group()
        self.leaves.append(LeafText(path, None if text == "null" else text, text != "null", start, self.at))

    def members(self, path: str, depth: int) -> None:
        self.expect("{")
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            self.blank()
            key = self.string()
            self.expect(":")
            self.value(f"{path}.{key}" if path else key, depth + 1)
            if self.expect(",}") == "}":
                return

    def items(self, path: str, depth: int) -> None:
        self.expect("[")
        if self.peek() == "]":
            self.at += 1
            return
        position = 0
        while True:
            self.value(f"{path}[{position}]", depth + 1)
            position += 1
            if self.expect(",]") == "]":
                return


def scan(reply: str) -> Reply:
    """Read one JSON object and return its leaves with their places.

    Text before the first brace (a model's preamble or a code fence) is passed over. A reply that breaks off, or isn't
    JSON from some point on, gives the leaves before that point and `whole=False`.
    """
    scanner = _Scanner(reply)
    scanner.at = max(reply.find("{"), 0)
    try:
        if scanner.peek() != "{":
            raise _BrokenError
        scanner.value("", 0)
    except _BrokenError:
        return Reply(tuple(scanner.leaves), whole=False)
    return Reply(tuple(scanner.leaves), whole=True)
