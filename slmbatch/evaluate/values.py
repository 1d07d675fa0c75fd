"""Whether one value is the expected one, by type, and how like it is as text. Knows no documents and no fields."""

from __future__ import annotations

import datetime as dt
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import Levenshtein

from slmbatch.checks.letters import meaning
from slmbatch.checks.values import parse_value
from slmbatch.types import Kind, Scalar

CENT = Decimal("0.005")
REMEMBERED = 4096
LEAST_LIKE = 0.5  # a text less like the expected one isn't a misspelling of it, but another


def same(found: Any, expected: Any) -> bool:
    """Whether two values mean the same: amounts within half a cent, dates by day, texts by `meaning`."""
    if found is None or expected is None:
        return found is expected
    if isinstance(found, bool):
        return str(found).casefold() == str(expected).casefold()
    if isinstance(found, (Decimal, int)):
        wanted = _read(str(expected), Kind.DECIMAL)
        return isinstance(wanted, Decimal) and abs(Decimal(found) - wanted) < CENT
    if isinstance(found, dt.date):
        return found == _read(str(expected), Kind.DATE)
    return _meaning(str(found)) == _meaning(str(expected))


# Each value of a list is compared with each of another: what it comes to is worked out once.
@lru_cache(maxsize=REMEMBERED)
def _read(text: str, kind: Kind) -> Scalar | None:
    return parse_value(text, kind, literal=kind is Kind.DECIMAL)


_meaning = lru_cache(maxsize=REMEMBERED)(meaning)


def likeness(found: Any, expected: Any) -> float:
    """Return the normalised Levenshtein similarity of two values, from 0 to 1: ANLS of one pair.

    1 - edits / length of the longer text, and 0 where that is below one half (Biten et al. 2019, Scene Text Visual
    Question Answering, with its threshold of 0.5). Texts are compared in lower case with single spaces; amounts, dates
    and truths that are the same are 1. Of two missing values the likeness is 1, of one 0, as in ANLS* (Peer et al.
    2024, arXiv 2402.03848).
    """
    if found is None or expected is None:
        return float(found is expected)
    if not isinstance(found, str) and same(found, expected):
        return 1.0
    return Levenshtein.normalized_similarity(_squeezed(str(found)), _squeezed(str(expected)), score_cutoff=LEAST_LIKE)


@lru_cache(maxsize=REMEMBERED)
def _squeezed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
