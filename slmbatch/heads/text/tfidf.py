"""TF-IDF of word 1-2 and character 2-4 grams as sparse rows. numpy only, whole batches.

Grams are hashed, so there is no vocabulary to carry: the most frequent hashes are the columns. Whole batches are
counted at once, without a Python object per gram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Ints: TypeAlias = npt.NDArray[np.int64]

GRAM_BITS = 20  # a million hashes: two grams that matter seldom share one
COLUMNS = 20_000  # the most frequent grams; 40,000 were between a point worse and half a point better on four sets
CHARACTERS = 4_000  # of a text: what comes later says little about its class
CHAR_GRAMS = (2, 3, 4)
WORD, PAIR = 101, 102  # salts that tell words from character grams with the same letters
BATCH_ROWS, BATCH_CHARACTERS = 512, 1 << 18  # bounds the memory of one batch
PRODUCT = 1 << 19  # numbers of one piece of a product: they stay in the cache
_PRIME = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64
_INVERSE = pow(_PRIME, -1, 1 << 64)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # of splitmix64


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Row i has `values[starts[i]:starts[i + 1]]` in the columns at the same places, ascending; `width` columns."""

    starts: Ints
    columns: Ints
    values: Floats
    width: int

    def times(self, weights: Floats) -> Floats:
        """Multiply by (width, labels); returns (rows, labels)."""
        product = np.zeros((len(self.starts) - 1, weights.shape[1]), np.float32)
        filled = np.flatnonzero(np.diff(self.starts))
        step = max(1, PRODUCT // weights.shape[1])
        for first, last in _groups(self.starts, filled, step):
            rows = filled[first:last]
            span = slice(self.starts[rows[0]], self.starts[rows[-1] + 1])
            scaled = weights[self.columns[span]] * self.values[span, None]
            product[rows] = np.add.reduceat(scaled, self.starts[rows] - span.start, axis=0)
        return product


def _groups(starts: Ints, filled: Ints, step: int) -> Iterator[tuple[int, int]]:
    """Cut the rows that hold anything into groups of about `step` entries."""
    first = 0
    while first < len(filled):
        last = max(first + 1, int(np.searchsorted(starts[filled + 1], starts[filled[first]] + step, "right")))
        yield first, last
        first = last


@dataclass(frozen=True)
class TfIdf:
    """Fitted: `grams` are the hashes that are columns, ascending, `idf` their inverse document frequencies."""

    grams: Ints
    idf: Floats

    @classmethod
    def fit(cls, texts: Sequence[str]) -> TfIdf:
        """Count in how many texts each gram stands, and keep the most frequent ones."""
        counts = np.zeros(1 << GRAM_BITS, np.int64)
        for batch in _batches(texts):
            counts += np.bincount(_counted(batch)[1], minlength=1 << GRAM_BITS)
        seen = np.flatnonzero(counts)
        grams = np.sort(seen[np.argsort(-counts[seen], kind="stable")[:COLUMNS]])
        idf = np.log((1 + len(texts)) / (1 + counts[grams])) + 1
        return cls(grams, idf.astype(np.float32))

    @cached_property
    def _column(self) -> npt.NDArray[np.int32]:
        table = np.full(1 << GRAM_BITS, -1, np.int32)
        table[self.grams] = np.arange(len(self.grams), dtype=np.int32)
        return table

    def transform(self, texts: Sequence[str]) -> SparseRows:
        """Return one row per text, of length 1, or empty where no gram is known."""
        sizes, columns, values = [], [], []
        for batch in _batches(texts):
            rows, slots, counts = _counted(batch)
            column = self._column[slots]
            known = column >= 0
            rows, column = rows[known], column[known]
            weights = (1 + np.log(counts[known])) * self.idf[column]
            lengths = np.sqrt(np.bincount(rows, weights * weights, len(batch)))
            sizes.append(np.bincount(rows, minlength=len(batch)))
            columns.append(column.astype(np.int64))
            values.append((weights / lengths[rows]).astype(np.float32))
        empty: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
        starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes or empty))]).astype(np.int64)
        joined = np.concatenate(values) if values else np.zeros(0, np.float32)
        return SparseRows(starts, np.concatenate(columns or empty), joined, len(self.grams))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut and fold the texts, and group them so that a group is bounded in rows and characters."""
    group: list[str] = []
    characters = 0
    for text in texts:
        folded = " ".join(text[:CHARACTERS].casefold().split())
        if group and (len(group) == BATCH_ROWS or characters + len(folded) > BATCH_CHARACTERS):
            yield group
            group, characters = [], 0
        group.append(folded)
        characters += len(folded)
    if group:
        yield group


def _counted(texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """Return parallel arrays: row, gram slot, how often the gram stands in the row."""
    joined = "".join(f" {text} " for text in texts)  # a gram never spans two texts, so each has blanks of its own
    letters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    rows = np.repeat(np.arange(len(texts)), [len(text) + 2 for text in texts])
    substring = _Substrings(letters)
    keys = []
    for size in CHAR_GRAMS:
        starts = np.flatnonzero(rows[size - 1 :] == rows[: len(rows) - size + 1])
        keys.append(_keys(rows[starts], substring.hashes(starts, starts + size), size))
    edges = np.flatnonzero(np.diff(_in_word(letters), prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    words, owners = substring.hashes(starts, ends), rows[starts]
    keys.append(_keys(owners, words, WORD))
    pairs = np.flatnonzero(owners[1:] == owners[:-1])
    keys.append(_keys(owners[pairs], _mixed(words[pairs]) + words[pairs + 1], PAIR))
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    return found >> GRAM_BITS, found & ((1 << GRAM_BITS) - 1), counts


class _Substrings:
    """Hashes of any substrings of one text, all at once: differences of the prefix sums of a polynomial."""

    def __init__(self, letters: npt.NDArray[np.uint32]) -> None:
        size = len(letters)
        self._sums = np.zeros(size + 1, np.uint64)
        np.cumsum(letters * _powers(_PRIME, size), out=self._sums[1:])
        self._shift = _powers(_INVERSE, size)

    def hashes(self, starts: Ints, ends: Ints) -> Hashes:
        """Hash the substrings [start, end): the same letters have the same hash wherever they stand."""
        return (self._sums[ends] - self._sums[starts]) * self._shift[starts]


def _powers(base: int, count: int) -> Hashes:
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.multiply.accumulate(powers)


def _keys(rows: Ints, hashes: Hashes, salt: int) -> Ints:
    """One number per gram: its row and its slot."""
    slots = _mixed(hashes + np.uint64(salt)) >> np.uint64(64 - GRAM_BITS)
    return (rows << GRAM_BITS) | slots.astype(np.int64)


def _mixed(values: Hashes) -> Hashes:
    """Spread 64 bits over all of them (splitmix64's finish)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))


def _in_word(letters: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    table = _word_letters()
    return table[np.minimum(letters, len(table) - 1)]


@cache
def _word_letters() -> npt.NDArray[np.bool_]:
    """Whether a code point belongs to words, for the first plane; the last entry stands for all others."""
    return np.array([chr(code).isalnum() or code == 0xFFFF for code in range(1 << 16)])
