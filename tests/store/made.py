"""Results and records to store, small and distinct by number."""

from __future__ import annotations

from decimal import Decimal

from slmbatch.chat import Usage
from slmbatch.store.records import Record, record
from slmbatch.types import Answer, Attempt, Result, Status


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def result(number: int, label: str = "card", *, status: Status = Status.ACCEPTED) -> Result:
    """One attempt with one request; `failed` ones have no answer."""
    failed = status is Status.FAILED
    attempt = Attempt(
        "openai:m",
        None if failed else Answer(label=label, scores=((label, 0.9), ("other", 0.1)), mass=0.99, score=0.9),
        usage=Usage(100, 80, 3),
        usd=Decimal("0.000123456789"),
        seconds=0.5,
        requests=1,
        error_kind="timed_out" if failed else None,
        error="no reply" if failed else None,
    )
    return Result(key(number), status, (attempt,), None if failed else 0, "timed_out: no reply" if failed else None)


def settled(number: int, label: str = "card", *, status: Status = Status.ACCEPTED) -> Record:
    return record(result(number, label, status=status))
