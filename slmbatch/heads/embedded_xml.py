"""Answers from the e-invoice that a document carries: what its XML states, exactly, with no model and no doubt.

What people would look at in the document's text is looked for there, and told where it differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from sys import maxsize

from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.values import parse_value
from slmbatch.einvoice.invoice import EInvoice, Stated, Statements, read_einvoice
from slmbatch.einvoice.terms import TERMS
from slmbatch.errors import TaskError
from slmbatch.tasks.schema import Field, Schema
from slmbatch.types import Answer, Document, Grounded, Grounding, Kind, Leaf

# Number, date, account and total: what nearly every true invoice prints. Others are printed less surely or otherwise.
PRINTED = ("BT-1", "BT-2", "BT-84", "BT-112")
CERTAIN = 1.0  # the XML is the invoice: there is nothing to be unsure of
NUMBERS = (Kind.DECIMAL, Kind.INTEGER)
MAX_NAMED = 5
_XSD_TAIL = re.compile(r"(\.\d\d\d*?)0+$|\.$")  # zeros that say nothing, and a point that XML Schema allows


class EmbeddedXml:
    """A head for the leaves of a schema that name business terms of EN 16931."""

    fingerprint = "embedded-xml 1"
    batch = 8
    characters = maxsize

    def __init__(self, schema: Schema) -> None:
        self._day_first = schema.day_first
        terms = schema.terms
        self._targets = [(path, field, terms[path]) for path, field in schema.fields() if path in terms]
        self._without = [path for path, _ in schema.fields() if path not in terms]
        _check_lists(terms)

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Answer documents with an e-invoice, in order. Raises ValueError for one without."""
        return [self._answer(document) for document in documents]

    def _answer(self, document: Document) -> Answer:
        invoice = read_einvoice(document.xml or b"")
        if invoice is None:
            raise ValueError("the document carries no e-invoice")
        index = TextIndex(document.pages, day_first=self._day_first)
        leaves: list[Leaf] = []
        warnings: list[str] = []
        for path, field, term, stated in self._stated(invoice):
            leaf = _leaf(path, field, stated, index)
            leaves.append(leaf)
            if term in PRINTED and leaf.value is not None and leaf.grounding.page is None:
                warnings.append(f"{path}: {stated.text!r} of the XML isn't found in the text")
        return Answer(leaves=tuple(leaves), warnings=(*warnings, *self._silent(invoice, leaves)))

    def _stated(self, invoice: EInvoice) -> Iterator[tuple[str, Field, str, Stated]]:
        """Yield what the invoice states of each leaf, with the leaf's path in the answer."""
        for path, field, term in self._targets:
            group = TERMS[term].group
            places: list[tuple[str, Statements]] = [(path, invoice.header)]
            if group is not None:
                places = [(path.replace("[]", f"[{i}]"), one) for i, one in enumerate(invoice.groups[group])]
            for place, statements in places:
                if term in statements:
                    yield place, field, term, statements[term]

    def _silent(self, invoice: EInvoice, leaves: Sequence[Leaf]) -> Iterator[str]:
        """Say what can't be in the XML, and so wasn't answered though the text may tell."""
        if self._without:
            named = ", ".join(self._without[:MAX_NAMED]) + ", …" * (len(self._without) > MAX_NAMED)
            yield f"not in the XML, since the schema names no business term for them: {named}"
        answered = {leaf.path.partition("[")[0] for leaf in leaves}
        left = sorted({path.partition("[")[0] for path, _, _ in self._targets} - answered)
        if invoice.short and left:
            named = ", ".join(left)
            yield f"the XML is of the short profile {invoice.short}, which may lack what the text has: {named}"


def _check_lists(terms: dict[str, str]) -> None:
    """Raise TaskError for a list whose leaves are of two repeated groups: it would mix lines with tax rates."""
    groups: dict[str, str | None] = {}
    for path, term in terms.items():
        prefix, listed, _ = path.partition("[]")
        if listed and groups.setdefault(prefix, TERMS[term].group) != TERMS[term].group:
            raise TaskError(
                f"{path}: {term} doesn't belong to the same lists of an invoice as the other terms of {prefix}.",
                "Make two lists: one for the invoice's lines, one for its tax rates.",
            )


def _leaf(path: str, field: Field, stated: Stated, index: TextIndex) -> Leaf:
    text = _XSD_TAIL.sub(r"\1", stated.text) if field.kind in NUMBERS else stated.text
    value = parse_value(text, field.kind, literal=field.kind in NUMBERS)
    if value is None:
        return Leaf(path, None, stated.text, grounding=Grounding(Grounded.XML, xml_path=stated.path))
    printed = index.find(stated.text, value, field.kind)
    if not printed.stands and isinstance(value, Decimal):  # a credit note's amounts may be printed below zero
        printed = index.find(stated.text, -value, field.kind)
    place = printed if printed.stands else Grounding(Grounded.NONE)
    grounding = replace(place, found=Grounded.XML, xml_path=stated.path)
    return Leaf(path, value, stated.text, score=CERTAIN, confidence=CERTAIN, grounding=grounding)
