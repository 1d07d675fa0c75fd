"""Words of a page: found as they are, or by their letters and digits only. Knows no amounts and no dates."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio_alignment

SHORT = 8  # characters; up to here one text stands inside a longer word too easily by chance
LETTERS_AN_EDIT = 10  # of a text, that go with each edit by which a place may differ

_DIGITS = re.compile(r"\d+")
_OTHERS = re.compile(r"[\W_]+")
_DIVIDERS = re.compile(r"(?<=\d)[^\w\s]+(?=\d)")
_WORDS = re.compile(r"[^\W_]+")
_NUMBERS = re.compile(r"(?<!\w)\d+")
_UNDIVIDED = re.compile(r"[^\w\0]|_")


class Letters:
    """The letters and digits of one text, without case and accents, and where each of them stands in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        folded: list[str] = []
        self._places: list[int] = []
        for place, character in enumerate(text):
            kept = _folded(character)
            if kept:
                folded.append(kept)
                self._places += [place] * len(kept)
        self._letters = "".join(folded)

    def find(self, needle: str) -> tuple[int, int] | None:
        """Return the first place with the needle's letters and digits, whatever stands between them."""
        letters = "".join(map(_folded, needle))
        at = self._letters.find(letters) if letters else -1
        while at >= 0:
            start, end = self._places[at], self._places[at + len(letters) - 1] + 1
            same = len(letters) > SHORT or _DIGITS.findall(needle) == _DIGITS.findall(self._text[start:end])
            if same and stands_alone(self._text, start, end, long=len(letters) > SHORT):
                return start, end
            at = self._letters.find(letters, at + 1)
        return None

    def nearest(self, needle: str) -> tuple[int, int, int] | None:
        """Return the place most like the needle, whole words, and in how many letters and digits it differs.

        One edit is allowed for ten of them, and none in a number: "12 Main Street" isn't "13 Main Street".
        """
        letters = "".join(map(_folded, needle))
        if len(letters) < LETTERS_AN_EDIT or not self._letters:
            return None
        found = partial_ratio_alignment(letters, self._letters, score_cutoff=100 - 100 / LETTERS_AN_EDIT)
        if found is None or found.dest_end <= found.dest_start:
            return None
        words = self._words(self._places[found.dest_start], self._places[found.dest_end - 1] + 1)
        near = []
        for (start, _), (_, end) in product(words[:2], words[-2:]):  # the window may take in some of the next word
            place = self._text[start:end]
            if _NUMBERS.findall(place) == _NUMBERS.findall(needle):
                near.append((start, end, Levenshtein.distance(letters, "".join(map(_folded, place)))))
        best = min(near, key=lambda one: one[2], default=None)
        return best if best and best[2] <= len(letters) // LETTERS_AN_EDIT else None

    def _words(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the places of the words of which something lies between `start` and `end`."""
        while start and self._text[start - 1].isalnum():
            start -= 1
        while end < len(self._text) and self._text[end].isalnum():
            end += 1
        return [(start + word.start(), start + word.end()) for word in _WORDS.finditer(self._text[start:end])]


def plain(text: str) -> str:
    """Return the letters and digits of a text, without case: two spellings of the same name are equal in it."""
    return _OTHERS.sub("", text.casefold())


def meaning(text: str) -> str:
    """Return a text without what two spellings of it may differ in: case, blanks, marks, forms of one letter.

    Marks alone between two digits divide numbers, so "1.5" isn't "15", but is "1,5"; blanks only group them, as in
    account numbers. A text without letters and digits stays as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _UNDIVIDED.sub("", _DIVIDERS.sub("\0", folded)) or folded.strip()


def find_verbatim(text: str, needle: str) -> tuple[int, int] | None:
    """Return the first place of the needle that isn't a piece of a longer number or, when it is short, of a word."""
    at = text.find(needle) if needle else -1
    while at >= 0:
        end = at + len(needle)
        if stands_alone(text, at, end, long=len(needle) > SHORT):
            return at, end
        at = text.find(needle, at + 1)
    return None


def stands_alone(text: str, start: int, end: int, *, long: bool) -> bool:
    """Say whether no number goes on beyond either end of a place and, unless it is long, no word does."""
    before, after = text[max(0, start - 2) : start][::-1], text[end : end + 2]
    return not (_goes_on(text[start], before, long=long) or _goes_on(text[end - 1], after, long=long))


def _goes_on(edge: str, beyond: str, *, long: bool) -> bool:
    if edge.isdigit():
        return beyond[:1].isalnum() or (beyond[:1] in {".", ",", "'", "’"} and beyond[1:].isdigit())
    return edge.isalpha() and beyond[:1].isalnum() and not long


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", character.casefold())))
