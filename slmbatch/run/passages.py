"""The parts of a long document that can hold some fields: what is shown when only these are asked for.

Lines are ranked for each field by BM25 (Robertson and Zaragoza, 2009) over its name, labels and description, and shown
with their neighbours; besides them the beginning, the end and what surrounds the value that is doubted.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from slmbatch.heads.fields.sheet import WORD, folded
from slmbatch.tasks.schema import Field
from slmbatch.types import Kind

SHORT = 1500  # characters of a text that is shown whole: leaving lines out would save less than the instructions cost
BEST = 8  # lines for each field
AROUND = 2  # lines before and after each
TOP, BOTTOM = 8, 4  # lines: letterhead and footer, where names and dates stand without a label
GAP = "[…]"
K1 = 1.2  # how soon further mentions of a word add little


def passages(text: str, fields: Sequence[tuple[str, Field]], places: Iterable[int], *, best: int = BEST) -> str | None:
    """Return the parts of the text, GAP between them; None where all of it should be shown.

    `places` are where doubted values stand, `best` is how many lines are taken for each field. A conclusion (enum,
    boolean) may rest on any line, so it's shown all.
    """
    lines = text.split("\n")
    if len(text) <= SHORT or any(field.kind in {Kind.ENUM, Kind.BOOLEAN} for _, field in fields):
        return None
    chosen = {*range(TOP), *range(len(lines) - BOTTOM, len(lines))}
    ranked = _Ranking(lines)
    centres = [number for path, field in fields for number in ranked.best(_terms(path, field))[:best]]
    centres += [text.count("\n", 0, place) for place in places]
    for centre in centres:
        chosen |= set(range(centre - AROUND, centre + AROUND + 1))
    kept = sorted(number for number in chosen if 0 <= number < len(lines))
    shown: list[str] = []
    for before, number in zip([-1, *kept], kept, strict=False):
        shown += [GAP] * (number > before + 1) + [lines[number]]
    shown += [GAP] * (kept[-1] < len(lines) - 1)
    return "\n".join(shown) if len(kept) < len(lines) else None


class _Ranking:
    """The lines of a text, to be ranked by words. The same text and words give the same ranking, in every process."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._count = len(lines)
        self._places: dict[str, Counter[int]] = defaultdict(Counter)
        for at, line in enumerate(lines):
            for word in WORD.findall(line):
                self._places[folded(word)][at] += 1

    def best(self, terms: Sequence[str]) -> list[int]:
        """Return the best lines that hold a term; of equals those nearer to either end: there the totals are."""
        scores: dict[int, float] = defaultdict(float)
        for term in terms:
            places = self._places.get(term) or Counter()
            rare = math.log(1 + (self._count - len(places) + 0.5) / (len(places) + 0.5))
            for at, times in places.items():
                scores[at] += rare * times * (K1 + 1) / (times + K1)
        last = self._count - 1
        return sorted(scores, key=lambda at: (-scores[at], min(at, last - at), at))[:BEST]


def _terms(path: str, field: Field) -> list[str]:
    labels = field.hint.labels if field.hint else ()
    said = " ".join([path.replace("_", " "), field.description, *labels])
    return sorted({folded(word) for word in WORD.findall(said) if len(word) > 1})  # sums of floats depend on the order
