"""A list is held against the document's rows, where it is known that the rows are its own."""

from __future__ import annotations

from decimal import Decimal

from slmbatch.run.fieldwise import Fieldwise
from slmbatch.run.listing import RowCount
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Attempt, Document, Grounded, Grounding, Leaf, Page

TEXT = "Invoice no R-17\n1 Desk 60.00\n2 Chair 40.00\n3 Lamp 9.90\n"
DOCUMENT = Document("d", "d.txt", None, (Page(1, TEXT),))


def task(*lists: str, kind: str = "number") -> ExtractTask:
    listed = {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": kind}}}}
    properties = {"number": {"type": "string"}, **dict.fromkeys(lists, listed)}
    return ExtractTask(compile_schema({"type": "object", "properties": properties}, name="made", where="made"))


def leaves(items: int) -> list[Leaf]:
    amounts = (Decimal("60.00"), Decimal("40.00"), Decimal("9.90"), Decimal("60.00"))
    told = {"number": "R-17", **{f"items[{number}].amount": amounts[number] for number in range(items)}}
    place = Grounding(Grounded.EXACT, 1, 0, 4)
    return [Leaf(path, value, str(value), 0.99, grounding=place) for path, value in told.items()]


def test_fewer_items_than_rows_are_a_problem_and_as_many_or_more_are_not() -> None:
    check = RowCount(task("items"))
    assert check.missing(leaves(2), DOCUMENT) == {"items": "2 items, and the document has at least 3 rows"}
    assert check.missing(leaves(0), DOCUMENT) == {"items": "0 items, and the document has at least 3 rows"}
    assert check.missing(leaves(3), DOCUMENT) == check.missing(leaves(4), DOCUMENT) == {}


def test_nothing_is_said_where_it_is_not_known_whose_the_rows_are() -> None:
    for one in (task("items", "payments"), task(), task("items", kind="string")):
        assert RowCount(one).missing(leaves(2), DOCUMENT) == {}


def test_the_next_tier_is_asked_for_such_a_list_alone_and_told_why() -> None:
    made = task("items")
    sure = Attempt("first", CheckedFields(made).answer(leaves(2), (), DOCUMENT))
    question = Fieldwise(made, threshold=0.9).question(DOCUMENT, sure)
    assert question is not None
    assert question.asked == ("items",)
    assert question.failed == ("items: 2 items, and the document has at least 3 rows",)
