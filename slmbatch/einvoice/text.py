"""XML as a text that people, rules and models can read: a line for each thing it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree.ElementTree import Element

from slmbatch.einvoice.invoice import EInvoice, Statements, einvoice
from slmbatch.einvoice.terms import TERMS
from slmbatch.einvoice.tree import local

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def xml_text(root: Element) -> str:
    """Return what an XML document says: of an e-invoice its business terms under their names, else its elements.

    Elements with a text are told under the words of their own names, files within the XML left out.
    """
    invoice = einvoice(root)
    return "\n".join(_terms(invoice) if invoice is not None else _elements(root))


def _terms(invoice: EInvoice) -> Iterator[str]:
    """Yield a line for each term of the header, and one for each invoice line and tax rate."""
    for group, terms in groupby(TERMS, lambda term: TERMS[term].group):
        if group is None:
            yield from (_told(term, invoice.header) for term in terms if term in invoice.header)
        else:
            yield from (", ".join(_told(term, one) for term in one) for one in invoice.groups[group] if one)


def _told(term: str, statements: Statements) -> str:
    return f"{TERMS[term].name}: {statements[term].text}"


def _elements(root: Element) -> Iterator[str]:
    for element in root.iter():
        text = " ".join((element.text or "").split())
        if text and element.get("mimeCode") is None:
            yield f"{_WORDS.sub(' ', local(element))}: {text}"
        tail = " ".join((element.tail or "").split())
        if tail:
            yield tail
