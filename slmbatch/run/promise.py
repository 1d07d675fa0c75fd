"""What a certified run promises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Promise:
    """What a certified run promises: `target` of its rows as the last tier would have said, with certainty 1 - `delta`.

    `seed` decides about ties and the sample. `earlier` are folders of certified runs whose labels plan the sample;
    those of `reuse` take its place. With `leave_out` tiers that don't pay by the earlier runs aren't asked.
    """

    target: Decimal
    delta: Decimal
    seed: int = 0
    earlier: tuple[Path, ...] = ()
    reuse: Path | None = None
    leave_out: bool = False

    def settings(self) -> dict[str, str | list[str]]:
        """Return what it adds to a run's manifest."""
        told: dict[str, str | list[str]] = {"target": f"{self.target} {self.delta} {self.seed}"}
        if self.earlier:
            told["earlier"] = [str(one.resolve()) for one in self.earlier]
        if self.reuse is not None:
            told["reuse"] = str(self.reuse.resolve())
        if self.leave_out:
            told["leave_out"] = str(True)
        return told
