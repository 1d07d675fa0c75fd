"""Where another document begins among pages: only where a page says so, or is a whole document by itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slmbatch.heads.fields.pages import PageSplitter
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Page
from tests.made_types import INVOICE, LETTER, RECEIPT, invoice, receipt

SPLITTER = PageSplitter({"invoice": load_schema(str(INVOICE)), "receipt": load_schema(str(RECEIPT))})
LINES = ["Desk 60.00", "Chair 40.00"]


def split(*pages: Sequence[str]) -> list[list[int]]:
    made = [Page(number, "\n".join(lines)) for number, lines in enumerate(pages, 1)]
    return [[page.number for page in document] for document in SPLITTER.split(made)]


def test_each_whole_invoice_and_receipt_is_a_document() -> None:
    assert split(invoice("A-1"), invoice("A-2"), receipt(), receipt("9.20")) == [[1], [2], [3], [4]]


def test_pages_that_print_nothing_of_their_own_go_with_the_one_before() -> None:
    assert split(invoice("A-1"), LINES, LETTER, invoice("A-2"), [""]) == [[1, 2, 3], [4, 5]]


def test_a_page_with_the_same_number_goes_on() -> None:
    assert split(invoice("A-1", total="60.00"), invoice("A-1")) == [[1, 2]]


@pytest.mark.parametrize("counted", ["Page {} of 2", "Seite {} von 2", "page {}", "Página {} de 2"])
def test_a_page_that_counts_is_believed(counted: str) -> None:
    first, second = counted.format(1), counted.format(2)
    assert split(invoice("A-1", page=first), invoice("A-9", page=second)) == [[1, 2]]
    assert split([*LETTER, first], [*LETTER, second], [*LETTER, first]) == [[1, 2], [3]]


@pytest.mark.parametrize("bare", ["1/4", "01/25", "1 / 12"])
def test_a_bare_fraction_or_month_begins_nothing_and_a_second_page_may_be_bare(bare: str) -> None:
    assert split([*LETTER, *LINES], [*LINES, bare]) == [[1, 2]]
    assert split(invoice("A-1", page="1 / 2"), invoice("A-9", page="2 / 2")) == [[1, 2]]


def test_a_number_amid_other_words_begins_nothing() -> None:
    assert split(invoice("A-1"), [*LINES, "200/100", "see page 1 and page 7"]) == [[1, 2]]
    assert split(invoice("A-1"), ["Customer 17 Page 2", *invoice("A-9")]) == [[1, 2]]
    assert split(invoice("A-1"), ["carried over from page 1", *LINES]) == [[1, 2]]


def test_a_page_of_another_type_begins_a_document() -> None:
    assert split(LETTER, invoice("A-1"), LETTER, receipt()) == [[1], [2, 3], [4]]


def test_a_blank_page_is_no_document() -> None:
    assert split([""], invoice("A-1"), [""], invoice("A-2")) == [[1, 2, 3], [4]]
