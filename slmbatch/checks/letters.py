"""A page reduced to its letters and digits, so that case, accents, punctuation and line breaks don't matter."""

from __future__ import annotations

import unicodedata
from functools import cache

SHORT = 8  # characters; up to here a text may stand inside another by chance


class Letters:
    """The letters and digits of one text, folded, and where each of them stands in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        folded, self.places = [], []
        for place, character in enumerate(text):
            kept = _folded(character)
            if kept:
                folded.append(kept)
                self.places += [place] * len(kept)
        self.folded = "".join(folded)

    def find(self, needle: str) -> tuple[int, int] | None:
        """Return the first place in the text whose letters and digits are the needle's, which must be folded."""
        at = self.folded.find(needle) if needle else -1
        while at >= 0:
            start, end = self.places[at], self.places[at + len(needle) - 1] + 1
            if len(needle) > SHORT or (stands_alone(self.text, start, end) and not _joins_numbers(self.text, start, end)):
                return start, end
            at = self.folded.find(needle, at + 1)
        return None


def fold(text: str) -> str:
    """Reduce a text to what `Letters.find` looks for."""
    return "".join(map(_folded, text))


def find_verbatim(text: str, needle: str) -> tuple[int, int] | None:
    """Return the first place of the needle that isn't a part of a longer word or number; a long needle may be."""
    at = text.find(needle) if needle else -1
    first = at
    while at >= 0:
        if stands_alone(text, at, at + len(needle)):
            return at, at + len(needle)
        at = text.find(needle, at + 1)
    return (first, first + len(needle)) if first >= 0 and len(needle) > SHORT else None


def stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether neither a word nor a number goes on beyond the place's ends."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return not (_goes_on(text[start], before[::-1]) or _goes_on(text[end - 1], after))


def _goes_on(edge: str, beyond: str) -> bool:
    if not edge.isalnum() or not beyond:
        return False
    return beyond[0].isalnum() or (edge.isdigit() and beyond[0] in ".,'’" and beyond[1:].isdigit())


def _joins_numbers(text: str, start: int, end: int) -> bool:
    """Say whether digits on both sides of something else were put together, as in "12" for "1,2"."""
    gap = False
    digit = False
    for character in text[start:end]:
        if character.isdigit():
            if digit and gap:
                return True
            digit, gap = True, False
        elif character.isalpha():
            digit = gap = False
        else:
            gap = True
    return False


@cache
def _folded(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    decomposed = unicodedata.normalize("NFKD", character.casefold())
    return "".join(filter(str.isalnum, decomposed))
