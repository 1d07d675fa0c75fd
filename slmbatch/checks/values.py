"""From a leaf's text to its typed value. Knows nothing of the document that the text was taken from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from slmbatch.checks.amounts import parse_amount
from slmbatch.checks.currencies import parse_currency
from slmbatch.checks.dates import parse_date
from slmbatch.types import Kind, Scalar

_NOTHING = frozenset({"null", "none", "nil", "n/a", "n.a."})
_TRUE = frozenset(["true", "yes", "y", "ja", "oui", "si", "sí", "sì", "vrai", "wahr", "vero", "verdadero", "waar", "1"])
_FALSE = frozenset(["false", "no", "n", "nein", "non", "nee", "faux", "falsch", "falso", "onwaar", "0"])


def parse_value(
    raw: str, kind: Kind, *, day_first: bool = True, enum: Sequence[str] = (), literal: bool = False
) -> Scalar | None:
    """Return the typed value of a leaf as a model wrote it, None when the text isn't such a value.

    `literal` says that the text is a JSON number or a JSON true or false, and not the content of a JSON string: its
    point is a decimal point. In a string a single separator followed by exactly three digits groups thousands
    ("1.234" is 1234), see `parse_amount`. `day_first` decides "03/04/24", see `parse_date`. `enum` lists the schema's
    spellings, one of which is returned.
    """
    match kind:
        case Kind.DECIMAL | Kind.INTEGER:
            amount = parse_amount(raw, literal=literal)
            return amount if kind is Kind.DECIMAL else _whole_number(amount)
        case Kind.DATE:
            return parse_date(raw, day_first=day_first)
        case Kind.BOOLEAN:
            return _truth(raw)
        case Kind.CURRENCY:
            return parse_currency(raw)
        case Kind.ENUM:
            return _member(raw, enum)
        case Kind.TEXT:
            return _text(raw)


def _whole_number(amount: Decimal | None) -> int | None:
    return int(amount) if amount is not None and amount == int(amount) else None


def _truth(raw: str) -> bool | None:
    word = raw.strip().lower()
    return word in _TRUE if word in _TRUE or word in _FALSE else None


def _member(raw: str, enum: Sequence[str]) -> str | None:
    """Find the one member that is the text, up to case and spaces; None when two members differ in nothing else."""
    if raw in enum:
        return raw
    alike = {member for member in enum if _squeezed(member) == _squeezed(raw)}
    return alike.pop() if len(alike) == 1 else None


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _text(raw: str) -> str | None:
    text = " ".join(raw.split())
    return None if text.lower() in _NOTHING or not text.strip("-–—") else text
