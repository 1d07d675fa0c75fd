"""What --dry-run does: read everything, ask nothing (or a sample), and say what the run would cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import typer

from slmbatch.cli.flags import Flags
from slmbatch.cli.progress import Progress
from slmbatch.errors import BudgetReached
from slmbatch.run.execute import execute
from slmbatch.run.forecast import Asked, Forecast, TierForecast, forecast, observe
from slmbatch.run.plan import Plan
from slmbatch.run.survey import Survey, survey
from slmbatch.store.folder import RunFolder
from slmbatch.store.ledger import totals
from slmbatch.store.manifest import run_id
from slmbatch.store.sessions import spent

PILOT = "--pilot 50 measures both on rows drawn at random."
CERTIFIED = (
    "To the last tier goes what a certificate is planned to take with nothing known of these rows, or more: all of "
    "them where there's none. The run says its own plan before it asks that tier."
)
MINUTE_S, HOUR_S = 60, 3600


def estimate_verb(plan: Plan, flags: Flags) -> None:
    """Print the forecast; with --pilot, of what is left after the sample was run."""
    folder = RunFolder(plan.choices.out)
    if flags.pilot is None:
        found = survey(plan, folder)
        coming = forecast(plan, found, None, left=found.left)
    else:
        with folder.claimed():
            found, coming = _piloted(plan, folder, flags)
    facts = _facts(plan, folder, found, coming)
    if flags.json_:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(facts, found, coming)))


def _piloted(plan: Plan, folder: RunFolder, flags: Flags) -> tuple[Survey, Forecast]:
    """Run the sample in the run's own folder, so that the run has its results already."""
    found = survey(plan, folder, sample=flags.pilot or 0)
    with Progress(quiet=flags.quiet) as progress:
        execute(plan, folder, watch=progress.show, only=found.sample)
    seen: dict[str, Asked] = observe(folder, plan, found.sample, spent(folder.sessions).busy_s)
    blocked = sum(one.over_budget for one in seen.values())
    if blocked:
        raise BudgetReached(
            f"The budget of {plan.max_usd} USD is reached: {blocked} of the {len(found.sample)} texts of the pilot "
            "couldn't be asked about, so nothing is measured.",
            "Raise --max-usd, which holds for pilot and run together, or make the pilot smaller.",
        )
    return found, forecast(plan, found, seen, left=found.left - found.sample_left)


def _facts(plan: Plan, folder: RunFolder, found: Survey, coming: Forecast) -> dict[str, Any]:
    return {
        "task": plan.task.name,
        "documents": found.documents,
        "unreadable": found.unreadable,
        "distinct": found.contents,
        "skipped_files": len(plan.found.skipped),
        "usd_spent": _spent(folder),
        "max_usd": None if plan.max_usd is None else str(plan.max_usd),
        "threshold": plan.threshold,
        "target": None if plan.choices.promise is None else str(plan.choices.promise.target),
        "out": str(plan.choices.out),
        "rest": json.loads(json.dumps(asdict(coming), default=str)),
    }


def _spent(folder: RunFolder) -> str:
    if not folder.manifest.exists():
        return "0"
    ours = totals(folder.ledger, run_id(folder))
    return format(Decimal(sum(one.billed + one.in_doubt for one in ours)).scaleb(-12), "f")


def _lines(facts: dict[str, Any], found: Survey, coming: Forecast) -> list[str]:
    unreadable = f", {found.unreadable} unreadable" if found.unreadable else ""
    settled = found.contents - coming.contents
    lines = [
        f"{facts['task']}: {found.documents} documents{unreadable}, {found.contents} different texts; {settled} have "
        f"their result, {coming.contents} are left"
    ]
    if Decimal(facts["usd_spent"]):
        lines.append(f"spent so far: {facts['usd_spent']} USD, what is in doubt or in batches at its worst case")
    lines.append(f"the rest: {coming.usd_p50} USD, with 95 % certainty at most {coming.usd_p95} USD{_time(coming)}")
    lines += [_tier_line(one, coming) for one in coming.tiers]
    if facts["max_usd"] is not None:
        room = Decimal(facts["max_usd"]) - Decimal(facts["usd_spent"])
        enough = "is enough" if coming.usd_p95 <= room else "may not be enough"
        lines.append(f"--max-usd {facts['max_usd']} {enough if coming.usd_p50 <= room else 'will not be enough'}")
    if coming.top_usd_p50:
        lines.append(f"all of it asked of {coming.tiers[-1].tier} alone: {coming.top_usd_p50} USD")
    if not coming.contents:
        return lines
    if coming.sampled:
        lines.append(f"Measured on {coming.sampled} texts drawn at random; their results are kept for the run.")
    else:
        lines.append(
            "Nothing was asked: of the rows that reach a tier 2 in 10 (1 to 4) are assumed to go up, tokens are"
        )
        lines.append("estimated at 3 to 4.5 characters each. " + (PILOT if facts["target"] is None else CERTIFIED))
        lines += [f"What {one} costs by the hour is not in it." for one in coming.hourly]
    return lines


def _time(coming: Forecast) -> str:
    if coming.seconds_p50 is None or coming.seconds_p95 is None:
        return ""
    return f"; about {_duration(coming.seconds_p50)}, at most {_duration(coming.seconds_p95)}, at the sample's pace"


def _tier_line(one: TierForecast, coming: Forecast) -> str:
    low, high = one.share_interval
    share = f"{one.share:.0%} ({low:.0%} to {high:.0%})" if low < high else f"{one.share:.0%}"
    return f"  {one.tier:<40} {share} of rows, {one.usd_p50} USD, at most {one.usd_p95}; {one.price_source}"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_S:.0f} min" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.1f} h"
