"""What a certified run promises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Promise:
    """What a certified run promises: `target` of its rows as the last tier would have said, with certainty 1 - `delta`.

    `seed` decides about ties and the sample.
    """

    target: Decimal
    delta: Decimal
    seed: int = 0
