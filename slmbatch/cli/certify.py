"""What --target and `verify` say and ask."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from slmbatch.certificates.certificate import Certificate, Difference
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.parts import PARTS
from slmbatch.certificates.planning import Forecast
from slmbatch.certificates.planning import Plan as Single
from slmbatch.certificates.reuse import Reuse
from slmbatch.certificates.several import Certificates
from slmbatch.certificates.shares import Plans
from slmbatch.cli.flags import Flags
from slmbatch.cli.progress import Progress
from slmbatch.errors import Unsettled, UsageError
from slmbatch.report.promise import lines_of_parts, promised, shortened, statement, statement_of_each
from slmbatch.run.certified.design import Design
from slmbatch.run.certified.phases import CertifiedRun, Outcome
from slmbatch.run.certified.proof import ASKED_TWICE, asked_twice, verify
from slmbatch.run.plan import Plan
from slmbatch.store.folder import CERTIFICATE, RunFolder


def run_certified(plan: Plan, folder: RunFolder, flags: Flags) -> Outcome:
    """Run in phases, say the plan before labels are bought, and ask whether to buy them.

    Raises Unsettled, under --strict, when there will be no certificate: nothing more is asked then.
    """
    with Progress(quiet=flags.quiet) as progress:
        say = progress.say if not flags.quiet else _nothing

        def announce(planned: Design | Refusal) -> None:
            if isinstance(planned, Refusal):
                _refused(planned, strict=flags.strict, quiet=flags.quiet)
            else:
                assert plan.choices.promise is not None
                for line in plan_lines(planned, plan.tiers[-1].name, twice=plan.choices.promise.twice):
                    say(line)

        def agree(question: str) -> None:
            _agree(question, plan, flags, progress)

        def tell_reuse(found: Reuse | Refusal) -> None:
            for line in reuse_lines(found, plan):
                say(line)

        return CertifiedRun(
            plan, folder, watch=progress.show, announce=announce, tell_reuse=tell_reuse, tell=say, agree=agree
        ).run()


def _nothing(_line: str) -> None:
    """Say nothing: --quiet."""


def _refused(refusal: Refusal, *, strict: bool, quiet: bool) -> None:
    if strict:
        raise Unsettled(
            f"No certificate: {refusal.message}",
            "Without --strict all rows are sent to the last tier; what was answered is kept.",
        )
    if not quiet:
        typer.echo(f"No certificate: {refusal.message} All rows go to the last tier.", err=True)


def _agree(question: str, plan: Plan, flags: Flags, progress: Progress) -> None:
    """Ask before the last tier is, where that costs money. Raises UsageError without a yes."""
    top = plan.tiers[-1]
    if flags.yes or not (top.price.paid or top.price.usd_per_hour):
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{top.name} costs money, and nobody can be asked here.", "Add --yes to have it asked.")
    with progress.paused():
        agreed = typer.confirm(question, err=True)
    if not agreed:
        raise UsageError("Nothing more was bought.", "What was answered is kept: the same command goes on from here.")


def plan_lines(planned: Design, top: str, *, twice: int = 0) -> list[str]:
    """Say what a certificate will take, before any money is spent; about `twice` rows the top tier is asked again."""
    if isinstance(planned, Plans):
        return _plans_lines(planned, top, twice)
    return [
        f"Certificate: {_promised(planned, top)}.",
        f"  labels: {planned.sample:,} rows are drawn and asked of {top}; {planned.tolerated} may differ",
        *_twice_line(planned, planned.sample, top, twice),
        _expected(planned, planned.asked[-1], top),
        f"  at worst: {_missing(planned)} probability",
    ]


def _plans_lines(planned: Plans, top: str, twice: int) -> list[str]:
    """Say it of every class or field, those with most rows first."""
    one, several = planned.per, PARTS[planned.per]
    target, plans = planned.target, sorted(planned.plans.items(), key=lambda each: -each[1].rows)
    told = [f"    {name}: {each.sample:,} of {each.rows:,} rows, {each.tolerated} may differ" for name, each in plans]
    going_up = [f"    {name} goes up whole: {each.message}" for name, each in planned.refused.items()]
    promise = statement_of_each(target.agreement, target.delta, each="rows", count=len(plans), top_tier=top)
    return [
        f"Certificates for each {one}: {promise}.",
        f"  labels: {planned.labels:,} rows are drawn and asked of {top}",
        *_twice_line(planned, planned.labels, top, twice),
        *shortened(told, several),
        *shortened(going_up, several),
        _expected(planned, planned.asked, top),
    ]


def _twice_line(planned: Design, labels: int, top: str, twice: int) -> list[str]:
    """Say what asking again about rows of the sample adds, if it's wanted."""
    again = min(twice, labels)
    if not again:
        return []
    money = "" if planned.alone_usd is None else f": {planned.alone_usd / planned.rows * again:.4f} USD more"
    return [f"  asked twice: {again:,} of these, for how often {top} says the same again{money}"]


def _expected(planned: Design, asked: Forecast, top: str) -> str:
    money = "" if planned.usd is None else f", {planned.usd:.4f} USD in all, perhaps {planned.usd_high:.4f}"
    alone = "" if planned.alone_usd is None else f"; {top} alone would cost {planned.alone_usd:.4f} USD (estimated)"
    return f"  expected: {top} is asked about {asked.expected:,} rows ({asked.low:,} to {asked.high:,}){money}{alone}"


def reuse_lines(found: Reuse | Refusal, plan: Plan) -> list[str]:
    """Say what labels of an earlier run promise, and what nobody can see; or why they don't serve."""
    assert plan.choices.promise is not None
    source, top = plan.choices.promise.reuse, plan.tiers[-1].name
    if isinstance(found, Refusal):
        return [f"The labels of {source} don't serve: {found.message} Rows of this batch are labelled instead."]
    planned = found.plan
    return [
        f"Certificate: {_promised(planned, top)} - if they are like the {planned.sample:,} rows labelled in {source}.",
        f"  {top} is asked about {planned.asked[-1].expected:,} rows; no label is bought. One such promise covers one "
        "batch: used again, the same labels make the same mistake again.",
        f"  scores are spread as then (Kolmogorov-Smirnov: gap {found.drift.gap:.3f}, p {found.drift.p_value:.2g}). "
        "That shows gross change only: two points of accuracy can be lost unseen.",
        f"  at worst: {_missing(planned)} probability",
    ]


def _promised(planned: Single, top: str) -> str:
    target = planned.target
    return statement(target.agreement, target.delta, rows=f"{planned.rows:,} rows", top_tier=top)


def _missing(planned: Single) -> str:
    return ", ".join(
        f"below {planned.target.agreement - one.shortfall:.1%} with {one.probability:.1%}" for one in planned.misses
    )


def told(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as the report has it."""
    judged: dict[str, Any] = {"replaced": [one.facts() for one in outcome.replaced]}
    judged |= {"earlier": outcome.history.said(), "left_out": outcome.history.choice.left_out}
    if outcome.noise is not None:
        judged[ASKED_TWICE] = outcome.noise.facts()
    if outcome.refusal is not None:
        one = outcome.refusal
        return {"refused": one.reason.value, "message": one.message, "numbers": dict(one.numbers)} | judged
    assert outcome.certificate is not None
    return _facts(outcome.certificate) | judged


def _facts(one: Certificate | Certificates) -> dict[str, Any]:
    if isinstance(one, Certificates):
        return _facts_of_all(one)
    names = ("agreement", "delta", "rows", "sample", "tolerated", "kept", "kept_agreement", "top_tier", "asked_on")
    told = {name: getattr(one, name) for name in names} | {"errors": len(one.error_ranks)}
    return told if one.drift is None else told | {"drift": asdict(one.drift)}


def _facts_of_all(told: Certificates) -> dict[str, object]:
    first, some = told.first, sorted(told.certificates.items(), key=lambda each: -each[1].rows)
    names = ("rows", "sample", "kept", "kept_agreement", "kept_agreement_least", "delta")
    return {
        "per": told.per,
        "agreement": told.agreement,
        "delta": told.delta,
        "kept": told.rows_kept,
        "top_tier": first.top_tier,
        "asked_on": first.asked_on,
        "parts": {
            name: {key: getattr(one, key) for key in names} | {"errors": len(one.error_ranks)} for name, one in some
        },
        "refused_parts": {name: one.message for name, one in told.refused.items()},
    }


def verify_verb(out: Path, *, json_: bool) -> None:
    """Say whether a certificate is true to its files. Raises Unsettled if it isn't."""
    certificate, differing = verify(RunFolder(out))
    twice = asked_twice(RunFolder(out))
    if json_:
        found = [{name: str(value) for name, value in asdict(one).items()} for one in differing]
        typer.echo(json.dumps({"verified": not differing, "differences": found}, indent=2, ensure_ascii=False))
    else:
        facts = _facts(certificate) | {ASKED_TWICE: twice}
        if "refused_parts" in facts:  # the reasons aren't worked out again
            facts["refused_parts"] = dict.fromkeys(facts["refused_parts"], "goes up whole")
        said = [_line(one) for one in differing] or ["Verified.", *promised(facts), *lines_of_parts(facts)]
        typer.echo("\n".join(said))
    if differing:
        raise Unsettled(
            f"{out / CERTIFICATE}: it isn't what the run's files say, in {len(differing)} of its statements.",
            "Something was changed after the certificate was written: run the same command again to write it anew.",
        )


def _line(one: Difference) -> str:
    return f"{one.name}: stated {one.stated}, found {one.found}"
