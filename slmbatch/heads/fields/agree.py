"""Whether a candidate is the value that was expected: by type, and names and addresses by likeness. For training."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from difflib import SequenceMatcher

from slmbatch.checks.dates import parse_date
from slmbatch.checks.letters import plain
from slmbatch.checks.values import parse_value
from slmbatch.tasks.hints import HintKind
from slmbatch.types import Kind, Scalar

CENT = Decimal("0.005")
ALIKE = 0.9  # share of letters and digits in common, from which a name or an address counts as the same
LIKENESS = (HintKind.PARTY, HintKind.ADDRESS, HintKind.TEXT)


class Expected:
    """One expected value, prepared for comparison with many candidates."""

    def __init__(self, value: object, kind: HintKind, *, day_first: bool = True) -> None:
        text = str(value)
        self._likeness = kind in LIKENESS
        self._letters = plain(text)
        self._matcher = SequenceMatcher(None, b=self._letters, autojunk=False)
        self._value: Scalar | None = None
        if kind is HintKind.AMOUNT:
            self._value = parse_value(text, Kind.DECIMAL, literal=True)
        elif kind is HintKind.DATE:
            self._value = value if isinstance(value, dt.date) else parse_date(text, day_first=day_first)

    def agrees(self, found: Scalar) -> bool:
        """Say whether a found value is this one: within half a cent, the same day, the same or like letters."""
        if isinstance(found, (Decimal, int)):
            return isinstance(self._value, Decimal) and abs(Decimal(found) - self._value) < CENT
        if isinstance(found, dt.date):
            return found == self._value
        other = plain(str(found))
        if not self._likeness or other == self._letters:
            return other == self._letters
        self._matcher.set_seq1(other)
        fast = min(self._matcher.real_quick_ratio(), self._matcher.quick_ratio())
        return fast >= ALIKE and self._matcher.ratio() >= ALIKE
