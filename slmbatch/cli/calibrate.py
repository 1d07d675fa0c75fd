"""What `slmbatch calibrate` does: fit curves to a finished run, show how good they are, write them down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slmbatch.cli import options as o
from slmbatch.errors import UsageError

if TYPE_CHECKING:
    from slmbatch.calibrate.calibrating import Passed, Quality
    from slmbatch.run.calibration import Calibration, TierCurve


def calibrate_verb(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished run.")],
    to: Annotated[Path, typer.Option("--out", "-o", help="File to write, for --calibration.")],
    gold: Annotated[
        Path | None, typer.Option("--gold", help="Expected answers: a table of labels, or JSONL of values.")
    ] = None,
    from_top_tier: Annotated[
        bool, typer.Option("--from-top-tier", help="Take the last tier's answers in this run for right.")
    ] = False,
    accuracy: Annotated[
        float, typer.Option("--accuracy", min=0, max=1, help="Say from which threshold on so many rows are right.")
    ] = 0.95,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Learn what a run's scores mean, from rows whose answers are known, for --calibration of later runs."""
    if (gold is None) is not from_top_tier:
        raise UsageError("--gold FILE or --from-top-tier is needed, one of them.", "Say who is right.")
    import msgspec

    from slmbatch.calibrate.calibrating import calibrate
    from slmbatch.store.folder import write_durably

    calibration, qualities, replaced = calibrate(out, gold, accuracy=accuracy)
    write_durably(to, msgspec.json.format(msgspec.json.encode(calibration), indent=2))
    if json_:
        tiers = {name: asdict(one) for name, one in qualities.items()}
        judged = [one.facts() for one in replaced]
        told = {"calibration": str(to), "accuracy": accuracy, "tiers": tiers, "replaced": judged}
        typer.echo(json.dumps(told, indent=2))
        return
    lines = [*_lines(calibration, qualities, accuracy, from_top=from_top_tier), *map(str, replaced)]
    typer.echo("\n".join(lines), err=True)
    typer.echo(to)


def _lines(
    calibration: Calibration, qualities: dict[str, Quality], accuracy: float, *, from_top: bool
) -> Iterator[str]:
    yield f"{calibration.task}: right is as {calibration.labels} say. Each figure is of answers held out of the fit."
    if from_top:
        yield "Rows that weren't sent up aren't among them: expect other shares of a whole batch."
    for one in calibration.tiers:
        if one.tier in qualities:
            yield from _tier(one, qualities[one.tier], accuracy)
        else:
            yield f"{one.tier}: not calibrated: {one.note}"


def _tier(one: TierCurve, quality: Quality, accuracy: float) -> Iterator[str]:
    yield f"{one.tier}: {quality.rows} rows; {one.right} of {one.answers} answers right; {one.method} curve"
    if quality.auroc is not None:
        yield f"  AUROC {quality.auroc:.3f} ({quality.auroc_low:.3f} to {quality.auroc_high:.3f})"
    yield f"  calibration error (ECE) {quality.ece_before:.3f} before, {quality.ece_after:.3f} after"
    if quality.ece_after >= quality.ece_before:
        yield "  This curve made the scores no truer: do without it, or label more rows."
    if quality.ranks is None:
        yield "  Too few answers are wrong, or right, to tell whether this score ranks errors."
    elif not quality.ranks:
        yield "  This score can't rank errors: no threshold will tell right answers from wrong ones."
    for passed in quality.passed:
        yield f"  {_told(passed)}"
    best = quality.wanted
    if best is None:
        yield f"  for accuracy {accuracy:g}: no threshold reaches it; all rows would go up"
    elif best.threshold == quality.lowest:
        yield f"  for accuracy {accuracy:g}: no score is too low, {best.accuracy:.1%} of all that have one are right"
        yield f"  None has less than {_floored(best.threshold):g}, so nothing is known of a lower --threshold."
    else:
        yield f"  for accuracy {accuracy:g}: {_told(best)}; {1 - best.share:.1%} go up"


def _told(passed: Passed) -> str:
    right = "" if passed.accuracy is None else f", {passed.accuracy:.1%} of them right"
    return f"--threshold {_floored(passed.threshold):g}: {passed.share:.1%} of rows accepted{right}"


def _floored(threshold: float) -> float:
    """Return it with four digits, and not above the confidence that it lets through."""
    return floor(threshold * 10_000) / 10_000
