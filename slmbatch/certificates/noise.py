"""The top tier's own noise: how often it says the same when it is asked the same again. No promise rests on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from scipy.special import betaincinv

DIGITS = 6  # of shares: the same on every machine


@dataclass(frozen=True, slots=True)
class Noise:
    """Of `drawn` rows of the sample `texts` different ones got two answers, `same` of these twice the same one.

    `fields` says, by path, in how many of them a field was the same; it is empty for labels.
    """

    drawn: int
    texts: int
    same: int
    fields: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """Return the counts; the share that is the same, None of nothing; and its interval, Clopper and Pearson's 95 %.

        `most` is what no cheaper tier's agreement can be expected to exceed: with the probabilities p of its answers to
        a text, the top tier says the same twice with sum(p^2), and the best guess is right with max(p), which is at
        most the root of that; by Jensen's inequality the same holds of their means.
        """
        low, high = clopper_pearson(self.same, self.texts)
        share = self.same / self.texts if self.texts else None
        most = None if share is None else round(share**0.5, DIGITS)
        shares = {"share": None if share is None else round(share, DIGITS), "low": low, "high": high, "most": most}
        return asdict(self) | shares


def clopper_pearson(hits: int, draws: int) -> tuple[float, float]:
    """Return an interval that holds a share with 95 %, from `hits` of `draws`; of nothing it is from 0 to 1."""
    low = float(betaincinv(hits, draws - hits + 1, 0.025)) if hits else 0.0
    high = float(betaincinv(hits + 1, draws - hits, 0.975)) if hits < draws else 1.0
    return round(low, DIGITS), round(high, DIGITS)
