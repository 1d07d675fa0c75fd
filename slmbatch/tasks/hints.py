"""What a schema says of a leaf for rules to go by: its kind, the labels it is printed beside, and which of several.

Knows no document. A leaf without hints gets them from its format, its name and its description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from slmbatch.einvoice.terms import TERMS
from slmbatch.errors import TaskError
from slmbatch.types import Kind


class HintKind(StrEnum):
    """What kind of thing on a page a leaf is."""

    AMOUNT = "amount"
    DATE = "date"
    IDENTIFIER = "identifier"
    PARTY = "party"
    ADDRESS = "address"
    CURRENCY = "currency"
    IBAN = "iban"
    VAT = "vat"
    TEXT = "text"


class Pick(StrEnum):
    """Which candidate a leaf is where no label tells: in the order of the document, by value, or the most frequent."""

    FIRST = "first"
    LAST = "last"
    LARGEST = "largest"
    SMALLEST = "smallest"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class Hint:
    """A leaf's hints. `labels` are what is printed beside the value; without `pick` one of them must be.

    `term` is the business term of EN 16931 that the leaf is in an e-invoice, as in `BT-112`.
    """

    kind: HintKind
    labels: tuple[str, ...] = ()
    pick: Pick | None = None
    term: str | None = None


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: HintKind | None = None
    labels: tuple[str, ...] = ()
    pick: Pick | None = None
    en16931: str | None = None


_BY_KIND = {
    Kind.DECIMAL: HintKind.AMOUNT,
    Kind.INTEGER: HintKind.AMOUNT,
    Kind.DATE: HintKind.DATE,
    Kind.CURRENCY: HintKind.CURRENCY,
}
# A kind of candidate must be able to become the leaf's type; any can become a text.
_TYPED = {
    HintKind.AMOUNT: (Kind.DECIMAL, Kind.INTEGER),
    HintKind.DATE: (Kind.DATE,),
    HintKind.CURRENCY: (Kind.CURRENCY,),
}
_BY_WORD = {
    "iban": HintKind.IBAN,
    "vat": HintKind.VAT, "tax_id": HintKind.VAT, "ustid": HintKind.VAT,
    "address": HintKind.ADDRESS, "adresse": HintKind.ADDRESS,
    "company": HintKind.PARTY, "supplier": HintKind.PARTY, "vendor": HintKind.PARTY, "customer": HintKind.PARTY,
    "seller": HintKind.PARTY, "buyer": HintKind.PARTY, "receiver": HintKind.PARTY, "merchant": HintKind.PARTY,
    "id": HintKind.IDENTIFIER, "number": HintKind.IDENTIFIER, "no": HintKind.IDENTIFIER, "code": HintKind.IDENTIFIER,
    "reference": HintKind.IDENTIFIER, "nummer": HintKind.IDENTIFIER, "nr": HintKind.IDENTIFIER,
    "purchase_order": HintKind.IDENTIFIER,
}  # fmt: skip
_PRECISE = (HintKind.IBAN, HintKind.VAT, HintKind.ADDRESS, HintKind.IDENTIFIER, HintKind.PARTY)


def read_hint(written: Any, kind: Kind, implied: Hint, *, where: str) -> Hint:
    """Read a leaf's `x-slmbatch`; what it leaves out is implied. `where` names the file and the leaf in errors.

    Raises TaskError for an unknown key or kind, and for a kind that can't become the leaf's type.
    """
    place = f"{where}: x-slmbatch"
    remedy = f"Write {{kind: {'|'.join(HintKind)}, labels: [...], pick: {'|'.join(Pick)}, en16931: BT-…}}."
    if not isinstance(written, Mapping) or not written:
        raise TaskError(f"{place}: says nothing of the leaf.", remedy)
    try:
        told = _Written.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise TaskError(f"{place}.{at}: {first['msg'].lower()}.", remedy) from error
    if any(not re.search(r"\w", label) for label in told.labels):
        raise TaskError(f"{place}.labels: a label has no letters.", "Write the words printed beside the value.")
    _check_term(told.en16931, lists=where.rpartition(": ")[2].count("[]"), place=place)
    chosen = told.kind or implied.kind
    if kind in _BY_KIND and kind not in _TYPED.get(chosen, ()):
        raise TaskError(f"{place}.kind: {chosen} doesn't fit a leaf of type {kind}.", "Change the kind or the format.")
    return Hint(chosen, told.labels or implied.labels, told.pick, told.en16931)


def _check_term(term: str | None, *, lists: int, place: str) -> None:
    """Raise TaskError unless the term is known, and stands in a list if and only if an invoice has several."""
    if term is None:
        return
    if term not in TERMS:
        known = ", ".join(f"{one.id} ({one.name})" for one in TERMS.values())
        raise TaskError(f"{place}.en16931: {term!r} is no known business term.", f"Known: {known}.")
    if TERMS[term].group is None and lists:
        raise TaskError(f"{place}.en16931: an invoice has {term} once.", "Take the leaf out of the list.")
    if TERMS[term].group is not None and lists != 1:
        remedy = "Put the leaf into a list of objects of its own."
        raise TaskError(f"{place}.en16931: an invoice has several {term}.", remedy)


def implied_hint(name: str, kind: Kind, description: str) -> Hint:
    """Derive hints from a leaf's name and type. Its labels are its name, in words, and a short description."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold().replace("-", "_")
    labels = [words.replace("_", " ").strip()]
    short = description.strip().rstrip(".")
    if 0 < len(short.split()) <= 3:
        labels.append(short)
    return Hint(_BY_KIND.get(kind) or _kind_of(words), tuple(label for label in labels if re.search(r"\w", label)))


def says_labels(hint: Hint, name: str, kind: Kind, description: str) -> bool:
    """Whether the schema says itself what is printed beside a leaf, rather than leave that to the leaf's name."""
    return hint.labels != implied_hint(name, kind, description).labels


def _kind_of(words: str) -> HintKind:
    padded = f"_{words}_"
    met = {kind for word, kind in _BY_WORD.items() if f"_{word}_" in padded}
    return next((kind for kind in _PRECISE if kind in met), HintKind.TEXT)
