"""What a certified run promises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from slmbatch.certificates.counting import Target
from slmbatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Promise:
    """What a certified run promises: `target` of its rows as the last tier would have said, with certainty 1 - `delta`.

    `seed` decides about ties and the sample. `earlier` are folders of certified runs whose labels plan the sample;
    those of `reuse` take its place. `per` is what has a promise of its own: each "class" or "field", or None. About
    `twice` rows of the sample the last tier is asked again: that's no part of the promise, and no setting of the run.
    With `leave_out` tiers that don't pay by the earlier runs aren't asked.
    """

    target: Decimal
    delta: Decimal
    seed: int = 0
    earlier: tuple[Path, ...] = ()
    reuse: Path | None = None
    per: str | None = None
    twice: int = 0
    leave_out: bool = False

    @property
    def goal(self) -> Target:
        """What is to be certified, in numbers."""
        return Target(float(self.target), float(self.delta))

    def settings(self) -> dict[str, str | list[str]]:
        """Return what it adds to a run's manifest."""
        told: dict[str, str | list[str]] = {"target": f"{self.target} {self.delta} {self.seed}"}
        if self.earlier:
            told["earlier"] = [str(one.resolve()) for one in self.earlier]
        if self.reuse is not None:
            told["reuse"] = str(self.reuse.resolve())
        if self.per is not None:
            told["per"] = self.per
        if self.leave_out:
            told["leave_out"] = str(True)
        return told


def check_promise(promise: Promise, task: str, *, tiers: int) -> None:
    """Raise ConfigError where nobody is there to agree with, or `per` doesn't fit the task or the other choices."""
    if tiers == 1:
        raise ConfigError(
            "--target: there is only one tier: nobody to agree with.",
            "Name the tier whose answers are the standard last, with --escalate.",
        )
    per = promise.per
    if per is None:
        return
    whose = {"class": "classify", "field": "extract"}
    if per not in whose:
        raise ConfigError(
            f"--per {per!r}: neither class nor field.", "Say --per class with classify, --per field with extract."
        )
    if whose[per] != task:
        raise ConfigError(
            f"--per {per}: {task} tells no {'classes' if per == 'class' else 'fields'}.",
            f"Say --per {'field' if per == 'class' else 'class'}, or leave it out.",
        )
    if promise.reuse is not None:
        raise ConfigError(
            f"--per {per}: labels of an earlier run can't be reused for it.",
            "Leave --reuse out, and labels of this batch are bought; or leave --per out.",
        )
    if promise.earlier and per == "field":
        raise ConfigError(
            "--per field: samples aren't planned by earlier runs, whose labels are known by document only.",
            "Leave --earlier out; a guess plans then.",
        )
