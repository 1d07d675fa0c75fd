"""Whether a tier earns its place: what became of the answers that it replaced, where the right ones are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TypeAlias

from scipy.special import bdtr

SURE = 0.05  # probability below which chance isn't believed
Answered: TypeAlias = Sequence[tuple[str, str]]  # tiers and what they said of one row, in the order they were asked


def sign_test(gained: int, lost: int) -> float:
    """Return the exact two-sided p of so many gains and losses if both were coins (McNemar 1947)."""
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5))) if gained + lost else 1.0


@dataclass(frozen=True, slots=True)
class Replaced:
    """What `tier` made of the answers of the tier `before` it, on `rows` labelled rows that both answered.

    Of the `changed` answers some became right, some wrong; the others stayed wrong.
    """

    tier: str
    before: str
    rows: int
    changed: int
    became_right: int
    became_wrong: int

    @property
    def p(self) -> float:
        return sign_test(self.became_right, self.became_wrong)

    @property
    def earned(self) -> bool | None:
        """Whether it's better than what it replaced; None where chance may have done that."""
        return self.became_right > self.became_wrong if self.p < SURE else None

    def facts(self) -> dict[str, object]:
        """Return all of it for JSON, with the sentence as `said`."""
        return asdict(self) | {"p": self.p, "earned": self.earned, "said": str(self)}

    def __str__(self) -> str:
        verdict = {
            True: "it earns its place",
            False: "leave it out",
            None: "that doesn't show it to be better: label more rows, or leave it out",
        }[self.earned]
        return (
            f"{self.tier} changed {self.changed:,} of {self.rows:,} answers of {self.before}: {self.became_right:,} "
            f"became right, {self.became_wrong:,} wrong (p = {self.p:.2g}): {verdict}."
        )


def replaced(rows: Iterable[tuple[Answered, str]]) -> list[Replaced]:
    """Compare each tier with the tier that had answered before it. `rows` tell who said what, and what is right."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for answered, right in rows:
        for (before, old), (tier, new) in pairwise(answered):
            counted = counts.setdefault((tier, before), Counter())
            counted["rows"] += 1
            counted["changed"] += old != new
            counted["became_right"] += old != right == new
            counted["became_wrong"] += old == right != new
    names = ("rows", "changed", "became_right", "became_wrong")
    return [Replaced(*tiers, *(counted[name] for name in names)) for tiers, counted in counts.items()]
