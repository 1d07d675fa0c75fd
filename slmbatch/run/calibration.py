"""calibration.json: which tiers' scores mean which probabilities, for which question. Written by `calibrate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from slmbatch.errors import ConfigError
from slmbatch.run.answers import RunTask
from slmbatch.run.identity import identity

if TYPE_CHECKING:
    from slmbatch.certificates.curves import Curve
    from slmbatch.run.plan import TierPlan

FORMAT = 1
REMEDY = "Calibrate again, on a run of this question and these tiers."


@dataclass(frozen=True, slots=True)
class TierCurve:
    """One tier's curve, and the labelled answers it rests on. Without knots there is none, and `note` says why."""

    tier: str
    identity: str
    answers: int = 0
    right: int = 0
    method: str | None = None
    knots: tuple[tuple[float, float], ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """All tiers of the run that was calibrated; `labels` says who is taken to be right."""

    format: int
    task: str
    question_sha256: str
    labels: str
    tiers: tuple[TierCurve, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """What a run takes from a calibration file: its hash, and the knots and method by tier."""

    sha256: str = ""
    tiers: Mapping[str, Curve] = field(default_factory=dict)


NO_CURVES = Curves()


def question_hash(task: RunTask) -> str:
    """Return the hash by which the manifest and calibration files know a task."""
    return sha256(task.fingerprint.encode()).hexdigest()


def load_curves(path: Path | None, task: RunTask, tiers: Sequence[TierPlan]) -> Curves:
    """Read the curves of a run's tiers; none without a file.

    Raises ConfigError when the file can't be read, is about another label set or schema, knows a tier of this run with
    other settings, or has no curve for any of them. A tier that it doesn't know stays uncalibrated.
    """
    if path is None:
        return NO_CURVES
    from slmbatch.certificates.curves import Curve  # numpy and scipy, which other runs needn't wait for

    content, found = _read(path)
    if (found.task, found.question_sha256) != (task.name, question_hash(task)):
        what = "label set or schema" if found.task == task.name else f"task ({found.task})"
        raise ConfigError(f"{path}: was made for another {what}.", REMEDY)
    known = {one.tier: one for one in found.tiers}
    for tier in tiers:
        mine = identity(tier, task)
        if tier.name in known and known[tier.name].identity != mine:
            differing = _difference(known[tier.name], mine)
            raise ConfigError(f"{path}: {tier.name} was calibrated with other settings: {differing}.", REMEDY)
    curves = {
        tier.name: Curve(one.method or "", one.knots) for tier in tiers if (one := known.get(tier.name)) and one.knots
    }
    if not curves:
        names = ", ".join(one.tier for one in found.tiers if one.knots) or "no tier"
        raise ConfigError(f"{path}: has curves for {names}, and none for a tier of this run.", REMEDY)
    return Curves(sha256(content).hexdigest(), curves)


def _read(path: Path) -> tuple[bytes, Calibration]:
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=Calibration)
    except OSError as error:
        remedy = "Check the path given to --calibration."
        raise ConfigError(f"{path}: can't be read ({error.strerror}).", remedy) from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: is no calibration: {error}.", "Give what `slmbatch calibrate` wrote.") from error
    if found.format != FORMAT:
        raise ConfigError(f"{path}: written in format {found.format}; this version reads {FORMAT}.", REMEDY)
    for one in found.tiers:
        scores, told = [list(column) for column in zip(*one.knots, strict=True)] or ([], [])
        rising = all(0 <= value <= 1 for value in [*scores, *told]) and told == sorted(told)
        if not rising or scores != sorted(set(scores)):
            raise ConfigError(f"{path}: the knots of {one.tier} don't rise from 0 to 1.", REMEDY)
    return content, found


def _difference(one: TierCurve, mine: str) -> str:
    """Say which settings differ: identities are the tier's name and `key=value` words."""
    then, now = (set(text.removeprefix(one.tier).split()) for text in (one.identity, mine))
    return ", ".join(
        [*(f"{word} then" for word in sorted(then - now)), *(f"{word} now" for word in sorted(now - then))]
    )
