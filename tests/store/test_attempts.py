"""Attempts on disk: what comes back is what was written, to the type of each value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from slmbatch.chat import Usage
from slmbatch.places import Box
from slmbatch.store.attempts import pack, unpack
from slmbatch.store.entries import Tried
from slmbatch.store.ledger import Ledger
from slmbatch.types import Answer, Attempt, Grounded, Grounding, Leaf, Scalar

VALUES: dict[str, Scalar | None] = {
    "text": "True",
    "digits": "17",
    "integer": 17,
    "yes": True,
    "no": False,
    "amount": Decimal("119.00"),
    "exponent": Decimal("1E+3"),
    "day": dt.date(2026, 11, 25),
    "nothing": None,
}
PLACE = Grounding(Grounded.NORMALISED, 2, 30, 36, Box(1.0, 2.0, 3.0, 4.5, 595.0, 842.0, "pt"), 0.93, "a/b")
LEAVES = tuple(
    Leaf(path, value, str(value), 0.1 + 0.2, 0.5, -1.0, -2.0, -3.5, PLACE, ("wrong",), required=True, agreed=True)
    for path, value in VALUES.items()
)
ATTEMPTS = (
    Attempt("rules", Answer(leaves=LEAVES, score=1 / 3, problems=("a", "b"), warnings=("c",), calibrated=True)),
    Attempt("head", Answer(label="card", scores=(("card", 0.9), ("app", 0.1)), mass=0.99, score=0.9)),
    Attempt(
        "openai:m",
        None,
        usage=Usage(1, 2, 3, 4, 5),
        usd=Decimal("0.000000000001"),
        seconds=0.1,
        requests=3,
        truncated=True,
        error_kind="timed_out",
        error="no reply",
        asked=("text", "day"),
        spared=Usage(6, 0, 7),
    ),
)


def test_attempts_come_back_exactly() -> None:
    assert repr(unpack(pack(ATTEMPTS))) == repr(ATTEMPTS)  # equality alone takes True for 1


def test_the_ledger_keeps_the_last_word_and_only_that_of_the_present_run(tmp_path: Path) -> None:
    for run, known in (("a", None), ("a", b"both"), ("b", None)):
        ledger = Ledger(tmp_path / "ledger.sqlite", run)
        assert ledger.tried(b"key") == known
        ledger.write([Tried(b"key", b"one"), Tried(b"key", b"both")])
        ledger.close()
