"""The attempts at one document as bytes, and back again exactly: what a killed run goes on from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from slmbatch.chat import Usage
from slmbatch.types import Answer, Attempt, Grounding, Leaf, Scalar

READ: Mapping[str, Callable[[str], Scalar]] = {
    "str": str,
    "int": int,
    "bool": "True".__eq__,
    "Decimal": Decimal,
    "date": dt.date.fromisoformat,
}


def pack(attempts: Sequence[Attempt]) -> bytes:
    """Write attempts down, each value of a leaf with its type."""
    told = msgspec.to_builtins(attempts, builtin_types=(Decimal, dt.date))
    for one in told:
        for leaf in one["answer"]["leaves"] if one["answer"] else ():
            value = leaf["value"]
            leaf["value"] = None if value is None else (type(value).__name__, str(value))
    return msgspec.msgpack.encode(told)


def unpack(content: bytes) -> tuple[Attempt, ...]:
    """Read what `pack` wrote."""
    return tuple(_attempt(**one) for one in msgspec.msgpack.decode(content))


def _attempt(*, answer: dict[str, Any] | None, usage: Any, usd: str, asked: Any, spared: Any, **rest: Any) -> Attempt:
    return Attempt(
        answer=None if answer is None else _answer(**answer),
        usage=Usage(**usage),
        usd=Decimal(usd),
        asked=tuple(asked),
        spared=Usage(**spared),
        **rest,
    )


def _answer(*, scores: Any, leaves: Any, problems: Any, warnings: Any, **rest: Any) -> Answer:
    return Answer(
        scores=tuple((label, score) for label, score in scores),
        leaves=tuple(_leaf(**leaf) for leaf in leaves),
        problems=tuple(problems),
        warnings=tuple(warnings),
        **rest,
    )


def _leaf(*, value: tuple[str, str] | None, grounding: Any, problems: Any, **rest: Any) -> Leaf:
    return Leaf(
        value=None if value is None else READ[value[0]](value[1]),
        grounding=msgspec.convert(grounding, Grounding),
        problems=tuple(problems),
        **rest,
    )
