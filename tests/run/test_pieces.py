"""Where a text is split, and how what its pieces tell is put together."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from slmbatch.run.merge import Told, merge
from slmbatch.run.pieces import LEAST, Piece, in_document, page_ends, page_starts, split, view
from slmbatch.types import Document, Grounded, Grounding, Leaf, Page, Scalar

LINES = "".join(f"line {number} of this page\n" for number in range(40))
DOCUMENT = Document("d", "d.pdf", None, tuple(Page(number, LINES) for number in (1, 2, 5)))


def pieces(document: Document, most: int) -> list[Piece]:
    async def cut(start: int) -> int:
        return min(start + most, len(document.text))

    return asyncio.run(split(document.text, page_ends(document), cut))


@pytest.mark.parametrize("most", [1, 7, 150, 1000, 2000])
def test_pieces_fit_and_leave_nothing_out(most: int) -> None:
    made = pieces(DOCUMENT, most)
    assert (made[0].start, made[-1].end) == (0, len(DOCUMENT.text))
    assert all(0 < piece.end - piece.start <= most for piece in made)
    assert all(one.start < other.start <= one.end < other.end for one, other in pairwise(made))


def test_a_piece_ends_with_a_page_where_one_ends_nearby_else_with_a_line() -> None:
    text = DOCUMENT.text
    assert page_ends(DOCUMENT)[0] in {piece.end for piece in pieces(DOCUMENT, 1200)}
    for piece in pieces(DOCUMENT, 500):
        assert text[: piece.end].endswith("\n") or piece.end in page_ends(DOCUMENT)
        assert piece.start == 0 or text[piece.start - 1] == "\n"


def test_halving_ends() -> None:
    whole = Piece(0, len(DOCUMENT.text))
    known, waiting = 0, [whole]
    while waiting:
        piece = waiting.pop()
        halves = piece.halves(DOCUMENT.text, page_ends(DOCUMENT))
        known += 1
        if halves:
            one, other = halves
            assert (one.start, other.end) == (piece.start, piece.end)
            assert piece.start < other.start <= one.end < piece.end
            waiting += halves
    assert 1 < known < 64
    assert Piece(0, LEAST - 1).halves(DOCUMENT.text, []) is None


def test_a_view_says_what_is_left_out_before_it_of_each_page() -> None:
    starts = page_starts(DOCUMENT)
    seen, left_out = view(DOCUMENT, Piece(starts[2] + 30, starts[5] + 10))
    assert [(page.number, page.text) for page in seen.pages] == [(2, LINES[30:]), (5, LINES[:10])]
    assert left_out == {2: 30, 5: 0}


def test_a_place_in_a_piece_is_told_as_that_in_the_document() -> None:
    near = Grounding(Grounded.FUZZY, 2, 5, 9, distance=3)
    (moved,) = in_document([Leaf("a", "x", "x", grounding=near)], DOCUMENT, {2: 30, 5: 0})
    assert moved.grounding == Grounding(Grounded.FUZZY, 2, 35, 39, distance=3)


def leaf(path: str, value: Scalar | None, at: int | None = 0, score: float = 0.5) -> Leaf:
    place = Grounding(Grounded.NONE) if at is None else Grounding(Grounded.EXACT, 1, at, at + 1)
    return Leaf(path, value, None if value is None else str(value), score, grounding=place)


def merged(*told: list[Leaf]) -> tuple[dict[str, Scalar | None], list[str]]:
    """Of pieces of 100 characters, of which each shares 20 with the next."""
    leaves, warnings = merge(
        [Told(Piece(80 * number, 80 * number + 100), one) for number, one in enumerate(told)], {1: 0}
    )
    return {one.path: one.value for one in leaves}, warnings


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        (leaf("a", None, None, 0.99), leaf("a", "x", None, 0.1), "x"),  # a value before none
        (leaf("a", "x", None, 0.99), leaf("a", "y", 90, 0.1), "y"),  # one that stands there before one that doesn't
        (leaf("a", "x", 5, 0.6), leaf("a", "y", 90, 0.7), "y"),  # the surer one
        (leaf("a", "x", 5, 0.7), leaf("a", "y", 90, 0.7), "x"),  # the first one
    ],
)
def test_of_a_field_the_value_with_the_best_evidence_is_taken(first: Leaf, second: Leaf, best: str) -> None:
    assert merged([first], [second])[0] == {"a": best}


def test_values_that_differ_are_a_warning_and_spellings_are_not() -> None:
    assert merged([leaf("a", "Muster GmbH")], [leaf("a", "MUSTER GMBH", 90)])[1] == []
    assert merged([leaf("a", "x")], [leaf("a", "invented", None)])[1] == []
    assert merged([leaf("a", "x")], [leaf("a", "y", 90)])[1] == ["a: parts of the document tell different values"]


def test_lists_follow_each_other_and_the_overlap_counts_once() -> None:
    first = [leaf("b[0].n", "desk", 10), leaf("b[1].n", "chair", 85)]
    second = [leaf("b[0].n", "chair", 85), leaf("b[1].n", "lamp", 120), leaf("b[2].n", None, None)]
    assert merged(first, second)[0] == {"b[0].n": "desk", "b[1].n": "chair", "b[2].n": "lamp"}


def test_the_same_item_beyond_the_overlap_counts_again() -> None:
    first, second = [leaf("b[0].n", "desk", 10)], [leaf("b[0].n", "desk", 120)]
    assert merged(first, second)[0] == {"b[0].n": "desk", "b[1].n": "desk"}
