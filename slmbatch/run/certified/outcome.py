"""How a certified run ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from slmbatch.certificates.certificate import Certificate
from slmbatch.certificates.earning import Replaced
from slmbatch.certificates.gates import Refusal
from slmbatch.run.certified.history import History
from slmbatch.run.loop import Counts


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a certified run ended: with a certificate, or with the reason why there is none.

    All rows went to the top tier then, unless the budget has ended before.
    """

    counts: Counts
    certificate: Certificate | None = None
    refusal: Refusal | None = None
    replaced: tuple[Replaced, ...] = ()  # what cheap tiers made of each other's answers, by the top tier's
    history: History = field(default_factory=History)
