"""What a line of text is made of, by its words: a company's form, a street, a postcode, a telephone number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_FORMS_WORDS = """
gmbh mbh ug ag kg kgaa ohg gbr se ek ev ltd limited llc llp inc corp plc sdn bhd sb pte pty sarl sas sasu eurl sa sl
slu spa srl srls snc bv nv vof doo sro zoo ab aps oy as enterprise enterprises trading company restaurant restoran
mart store stores holdings versicherungsverein stiftung genossenschaft cie
"""
FORMS = frozenset(_FORMS_WORDS.split())
_STREETS_WORDS = """
jalan jln jl lorong lot no persiaran lebuh lebuhraya taman tmn street st road rd avenue ave lane blvd rue boulevard
place via viale piazza calle avenida plaza block blk unit level floor batu kampung square drive highway
"""
STREETS = frozenset(_STREETS_WORDS.split())
_STREET_END = re.compile(r"(?:strasse|straße|str|straat|weg|platz|allee|gasse|laan|ring|ufer|plein)(?![^\W_])")
_CONTACTS_WORDS = """
tel telefon telephone telefax phone fax mobil mobile hp email mail www http https iban bic web com teléfono
"""
CONTACTS = frozenset(_CONTACTS_WORDS.split())
_DOCUMENTS_WORDS = """
invoice receipt tax bill cash date total gst rechnung facture factura fattura factuur page seite qty amount
description datum betrag welcome thank copy original order cashier table vat ust nr nummer kunde numéro fecha data
gutschrift credit number simplified slip bon quittung ticket reçu ricevuta scontrino
"""
DOCUMENTS = frozenset(_DOCUMENTS_WORDS.split())
_PLACES_WORDS = """
selangor johor lumpur penang pinang perak melaka sembilan kedah pahang sabah sarawak malaysia deutschland germany
france españa spain italia italy nederland netherlands belgien belgium austria österreich schweiz uk usa singapore
"""
PLACES = frozenset(_PLACES_WORDS.split())
Numbers = npt.NDArray[np.intp]
_BEYOND = 4  # rows of nothing after the last
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W_]+")
_POSTCODE = re.compile(
    r"(?<![\w.,/-])(?:[A-Z]{1,3}-?)?[0-9]{4,5}(?![\w./-])|(?<!\w)[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}"
)
_TELEPHONE = re.compile(r"[0-9]{2,3}-[0-9]{6,}")
_REGISTRATION = re.compile(r"\(?(?:co\.?\s*(?:reg|no)|reg|roc|company|br)?[ .:no#]*[0-9]{4,}[ -]*[a-z](?!\w)")


class Row(NamedTuple):
    """What one line is made of: a tuple, so that many make a matrix.

    `document` says that it has a word which invoices and receipts print beside values.
    """

    alpha: bool
    street: bool
    number: bool
    comma: bool
    postcode: bool
    place: bool
    contact: bool
    document: bool
    document_only: bool
    words: int
    form: bool
    form_first: bool
    registration: bool
    bracketed: bool
    digits: bool
    ends_with_comma: bool
    ends_with_stop: bool


_COLUMNS = {name: index for index, name in enumerate(Row._fields)}


@lru_cache(maxsize=4096)
def read_row(text: str) -> Row:
    """Tell what a line without blanks around it is made of."""
    lower = text.lower()
    words = _WORD.findall(lower)
    known = frozenset(words)
    bare = _WORD.findall(lower.replace(".", "").replace("/", "")) if "." in lower or "/" in lower else words
    numeric = _DIGIT.search(text) is not None
    return Row(
        alpha=any(map(str.isalpha, text)),
        street=not known.isdisjoint(STREETS) or _STREET_END.search(lower) is not None,
        number=text[:1].isdigit() or text[:2] in {"NO", "LO"},
        comma="," in text,
        postcode=numeric and _POSTCODE.search(text) is not None,
        place=bool(words) and words[-1] in PLACES,
        contact=not known.isdisjoint(CONTACTS) or "@" in text or (numeric and _TELEPHONE.search(text) is not None),
        document=not known.isdisjoint(DOCUMENTS),
        document_only=bool(known) and known <= DOCUMENTS,
        words=len(words),
        form=not FORMS.isdisjoint(bare),
        form_first=bool(bare) and (bare[0] in FORMS or bare[0] == "co"),
        registration=numeric and _REGISTRATION.match(lower) is not None,
        bracketed=text.startswith("("),
        digits=numeric and len(_DIGIT.findall(text)) * 2 > len(text),
        ends_with_comma=text.endswith(","),
        ends_with_stop=text.endswith("."),
    )


NOTHING = read_row("")


class Rows:
    """Many rows as columns by name."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Take the rows; what is before the first or after the last is NOTHING."""
        self._table = _table([*rows, *[NOTHING] * _BEYOND])

    def __getitem__(self, name: str) -> Numbers:
        """Return one column."""
        return self._table[:, _COLUMNS[name]]

    def counts(self, name: str) -> Numbers:
        """Return, for each place, how many rows before it have something."""
        return np.append(0, np.cumsum(self[name]))

    def taken(self, places: Numbers, others: Mapping[int, Row]) -> Rows:
        """Return the rows at some places, a few of them exchanged for others."""
        taken = copy(self)
        taken._table = self._table[places]
        if others:
            taken._table[list(others)] = _table(list(others.values()))
        return taken


def _table(rows: Sequence[Row]) -> Numbers:
    return np.fromiter(chain.from_iterable(rows), np.intp, len(rows) * len(_COLUMNS)).reshape(len(rows), -1)
