"""An e-invoice: what its XML states of each business term, and where in the XML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, TypeAlias
from xml.etree.ElementTree import Element

from slmbatch.einvoice.terms import GROUPS, LINE_STATUS, LINES, TERMS, Term
from slmbatch.einvoice.tree import find_all, local, parse_xml

Syntax: TypeAlias = Literal["cii", "ubl"]
ROOTS: Mapping[str, Syntax] = MappingProxyType(
    {
        "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": "cii",
        "{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument": "cii",  # ZUGFeRD 1
        "{urn:un:unece:uncefact:data:standard:CBFBUY:5}Invoice": "cii",  # its draft
        "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "ubl",
        "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "ubl",
    }
)
_PROFILE = {
    "cii": "ExchangedDocumentContext|SpecifiedExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID",
    "ubl": "CustomizationID",
}
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{4,6})?")  # format codes 102, 203 and 204 of UN/EDIFACT 2379
_DASHED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T.*|Z|[+-]\d{2}:\d{2})?")
_NOT_BILLED = ("GROUP", "INFORMATION")
_SHORT_PROFILES = ("minimum", "basicwl")


@dataclass(frozen=True, slots=True)
class Stated:
    """What the XML says in one place. `text` has dates as 2024-03-31 and is otherwise as written, without blanks."""

    text: str
    path: str


Statements: TypeAlias = Mapping[str, Stated]  # by the id of the term


@dataclass(frozen=True, slots=True)
class EInvoice:
    """One invoice or credit note. `groups` are the repeated groups by id, in the order of the XML."""

    profile: str
    header: Statements
    groups: Mapping[str, Sequence[Statements]]

    @property
    def short(self) -> str | None:
        """The profile's name, if it's one that has no lines and lacks much else: MINIMUM or BASIC WL."""
        name = self.profile.rpartition(":")[2].lower()
        return name if name in _SHORT_PROFILES else None


def syntax_of(root: Element) -> Syntax | None:
    """Return which syntax of e-invoices a document is written in, None for any other XML."""
    return ROOTS.get(root.tag)


def read_einvoice(content: bytes) -> EInvoice | None:
    """Read the XML of an invoice or a credit note; None for any other XML. Raises XmlError."""
    return einvoice(parse_xml(content))


def einvoice(root: Element) -> EInvoice | None:
    """Return the invoice or credit note that this is the root of; None for any other XML."""
    syntax = syntax_of(root)
    if syntax is None:
        return None
    top = f"/{local(root)}"
    stated = _stated(root, top, _paths(TERMS["BT-5"], syntax), None)
    currency = None if stated is None else stated.text
    header = _statements(root, top, syntax, None, currency=currency)
    profile = next((_text(one) for one, _ in find_all(root, _PROFILE[syntax], where=top)), "")
    groups = {
        group: [
            _statements(one, where, syntax, group, currency=currency)
            for one, where in find_all(root, paths[syntax == "ubl"], where=top)
        ]
        for group, paths in GROUPS.items()
    }
    groups[LINES] = [line for line in groups[LINES] if _billed(line)]
    return EInvoice(profile, header, groups)


def _billed(line: Statements) -> bool:
    """Whether it is a line of the invoice, and not a subtotal or a text between them."""
    status = line.get(LINE_STATUS)
    return ("BT-131" in line or "BT-153" in line) and (status is None or status.text not in _NOT_BILLED)


def _statements(root: Element, where: str, syntax: Syntax, group: str | None, *, currency: str | None) -> Statements:
    found = ((term.id, _stated(root, where, _paths(term, syntax), currency)) for term in _terms(group))
    return {term: stated for term, stated in found if stated is not None}


def _stated(root: Element, where: str, paths: tuple[str, ...], currency: str | None) -> Stated | None:
    """The first text at the first path that leads to one."""
    for path in paths:
        _, at, attribute = path.rpartition("/@")
        for element, place in find_all(root, path, where=where, currency=currency):
            text = (element.get(attribute) or "").strip() if at else _dated(element)
            if text:
                return Stated(text, f"{place}/@{attribute}" if at else place)
    return None


@cache
def _terms(group: str | None) -> tuple[Term, ...]:
    return tuple(term for term in TERMS.values() if term.group == group)


def _paths(term: Term, syntax: Syntax) -> tuple[str, ...]:
    return term.cii if syntax == "cii" else term.ubl


def _text(element: Element) -> str:
    return " ".join((element.text or "").split())


def _dated(element: Element) -> str:
    """An element's text; a day in the way of ISO 8601 where the element says that it is one."""
    text = _text(element)
    if not local(element).endswith(("Date", "DateTime", "DateTimeString")):
        return text
    dashed = _DASHED.fullmatch(text)
    if dashed:
        return dashed.group(1)
    compact = _COMPACT.fullmatch(text)
    return "-".join(compact.groups()) if compact else text
