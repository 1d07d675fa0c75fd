"""What a line of text is made of, by its words: a company's form, a street, a postcode, a telephone number."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache, reduce
from operator import or_
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
_STREET_ENDS = ("strasse", "straße", "str", "straat", "weg", "platz", "allee", "gasse", "laan", "ring", "ufer", "plein")
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
_STREET, _CONTACT, _DOCUMENT, _PLACE, _FORM, _FIRST_FORM = (1 << bit for bit in range(6))
_LISTS = {
    _STREET: STREETS, _CONTACT: CONTACTS, _DOCUMENT: DOCUMENTS, _PLACE: PLACES, _FORM: FORMS, _FIRST_FORM: {"co"}
}  # fmt: skip
_KINDS = {word: sum(bit for bit, words in _LISTS.items() if word in words) for word in set().union(*_LISTS.values())}
Numbers = npt.NDArray[np.int64]
KNOWN_TEXTS = 4096  # that are kept: documents of one sender have most of their lines in common
_BEYOND = 4  # rows of nothing after the last
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W_]+")
_POSTCODE = re.compile(
    r"(?<![\w.,/-])(?:[A-Z]{1,3}-?)?[0-9]{4,5}(?![\w./-])|(?<!\w)[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}"
)
_POSTCODE_LIKE = re.compile(r"[0-9](?:[0-9]{3}|[A-Z]{2})")  # what every postcode has, and few lines have
_TELEPHONE = re.compile(r"[0-9]{2,3}-[0-9]{6,}")
_REGISTRATION = re.compile(r"\(?(?:co\.?\s*(?:reg|no)|reg|roc|company|br)?[ .:no#]*[0-9]{4,}[ -]*[a-z](?!\w)")


class Row(NamedTuple):
    """What one line is made of.

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


@lru_cache(maxsize=16 * KNOWN_TEXTS)
def _word_kinds(word: str) -> int:
    """Return which lists a word in lower case is in, as bits."""
    kinds = _KINDS.get(word, 0)
    return kinds | _STREET if word.endswith(_STREET_ENDS) else kinds


@lru_cache(maxsize=KNOWN_TEXTS)
def read_row(text: str) -> Row:
    """Tell what a line without blanks around it is made of."""
    lower = text.lower()
    kinds = list(map(_word_kinds, _WORD.findall(lower)))
    some = reduce(or_, kinds, 0)
    bare = kinds
    if "." in lower or "/" in lower:  # as in "S.p.A." and "A/S"
        bare = list(map(_word_kinds, _WORD.findall(lower.replace(".", "").replace("/", ""))))
    digits = len(_DIGIT.findall(text))
    return Row(
        any(map(str.isalpha, text)),
        some & _STREET > 0,
        text[:1].isdigit() or text[:2] in {"NO", "LO"},
        "," in text,
        digits > 1 and _POSTCODE_LIKE.search(text) is not None and _POSTCODE.search(text) is not None,
        bool(kinds) and kinds[-1] & _PLACE > 0,
        some & _CONTACT > 0 or "@" in text or (digits > 7 and _TELEPHONE.search(text) is not None),
        some & _DOCUMENT > 0,
        some & _DOCUMENT > 0 and all(one & _DOCUMENT for one in kinds),
        len(kinds),
        reduce(or_, bare, 0) & _FORM > 0,
        bool(bare) and bare[0] & (_FORM | _FIRST_FORM) > 0,
        digits > 3 and _REGISTRATION.match(lower) is not None,
        text.startswith("("),
        digits * 2 > len(text),
        text.endswith(","),
        text.endswith("."),
    )


@lru_cache(maxsize=KNOWN_TEXTS)
def packed_row(text: str) -> bytes:
    """Return what `read_row` does, packed."""
    return packed(read_row(text))


def packed(row: Sequence[int]) -> bytes:
    """Return numbers as bytes, which many make a table of in no time."""
    return struct.pack(f"{len(row)}q", *row)


def unpacked(rows: Sequence[bytes], columns: int) -> Numbers:
    """Return packed rows as a table."""
    return np.frombuffer(b"".join(rows), np.int64).reshape(-1, columns)


class Rows:
    """The rows of many lines as columns by name."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Take the lines; what is before the first or after the last is nothing."""
        self._table = unpacked([*map(packed_row, texts), *[packed_row("")] * _BEYOND], len(Row._fields))

    def __getitem__(self, name: str) -> Numbers:
        """Return one column."""
        return self._table[:, _COLUMNS[name]]

    def counts(self, name: str) -> Numbers:
        """Return, for each place, how many rows before it have something."""
        return np.append(0, np.cumsum(self[name]))
