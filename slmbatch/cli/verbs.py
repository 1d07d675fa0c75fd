"""What classify and extract do once their options are parsed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from slmbatch.cli.flags import Flags
from slmbatch.cli.options import reading
from slmbatch.cli.progress import Progress
from slmbatch.engines.settings import parse_spec
from slmbatch.errors import BudgetReached, ConfigError, Unsettled, UsageError
from slmbatch.money.prices import Price
from slmbatch.report.costs import TierCost, add_up, write_costs
from slmbatch.run.answers import RunTask
from slmbatch.run.config import ConfigFile, load_config
from slmbatch.run.execute import execute
from slmbatch.run.plan import Choices, Plan, blind, make_plan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import RunFolder
from slmbatch.store.ledger import totals
from slmbatch.store.manifest import run_id
from slmbatch.store.parts import part_paths
from slmbatch.store.sessions import spent
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.triage import TriageTask

if TYPE_CHECKING:  # polars comes with them: it's loaded when the engines' memory has been given back
    from slmbatch.report.summary import Summary

SKIPPED_SHOWN = 5
NAMES_ALONE = (
    "Warning: not every label has two examples, so texts are compared with label names and descriptions alone: on "
    "public sets that is right for about one row in two. Give 8 examples for each label."
)


def run_verb(task: RunTask, flags: Flags) -> None:
    """Classify or extract: plan, run, report."""
    config = load_config(flags.config)
    options = reading(
        flags.text_column,
        flags.id_column,
        flags.encoding,
        flags.limit,
        flags.workers,
        flags.attachments,
        fields=not isinstance(task, ClassifyTask),
    )
    if isinstance(task, TriageTask):
        options = replace(options, types=tuple((name, one.schema) for name, one in task.types.items()))
    plan = make_plan(task, _choices(flags), config, options)
    if not flags.quiet:
        _warn(plan, config)
    _check_pilot(plan, flags)
    if flags.dry_run:
        from slmbatch.cli.estimate import estimate_verb

        estimate_verb(plan, flags)
        return
    with RunFolder(plan.choices.out).claimed() as folder:
        if plan.choices.promise is None:
            with Progress(quiet=flags.quiet) as progress:
                counts = execute(plan, folder, watch=progress.show)
            summary = _report(plan, folder, resumed=counts.resumed)
        else:
            from slmbatch.cli.certify import run_certified, told

            outcome = run_certified(plan, folder, flags)
            summary = _report(plan, folder, resumed=outcome.counts.resumed, certificate=told(outcome))
    if flags.json_:
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    elif not flags.quiet:
        from slmbatch.report.text import as_text

        typer.echo(as_text(summary), err=True)
        typer.echo(plan.choices.out / "results.parquet")
    if summary["over_budget"]:
        raise _budget_reached(summary, plan)
    unsettled = summary["rows"] - summary["status"].get("accepted", 0)
    if flags.strict and unsettled:
        raise Unsettled(
            f"{unsettled} of {summary['rows']} rows were not accepted.",
            f"See status and reason in {plan.choices.out / 'results.parquet'}.",
        )


def _check_pilot(plan: Plan, flags: Flags) -> None:
    if not flags.pilot:
        return
    if not flags.dry_run:
        raise UsageError("--pilot belongs to --dry-run.", "Add --dry-run, or leave --pilot out.")
    if flags.overwrite:
        raise UsageError("--pilot goes on with what is in the folder.", "Leave --overwrite out, or --pilot.")
    if plan.choices.promise:
        raise UsageError("--pilot is no part of a run with --target.", "Leave it out: such a run says its plan itself.")


def _budget_reached(summary: Summary, plan: Plan) -> BudgetReached:
    """Say what the cap has left undone, and what it would cost to do it."""
    waiting = [f"{one['rows']} rows wait for {one['tier']}" for one in summary["over_budget"]]
    guesses = [one["usd_estimated"] for one in summary["over_budget"]]
    about = "at most about" if plan.choices.promise else "about"  # a certificate keeps many from being asked
    known = f"They would cost {about} {sum(map(Decimal, (one for one in guesses if one)), Decimal(0)):.4f} USD more. "
    more = "What one of them may cost at most is in its reason. " if None in guesses else known
    return BudgetReached(
        f"The budget of {plan.max_usd} USD is reached, {summary['usd']} are spent: {', '.join(waiting)}.",
        f"{more}Everything else is in {plan.choices.out}; the same command with a higher --max-usd asks about these "
        "rows only.",
    )


def _choices(flags: Flags) -> Choices:
    return Choices(
        inputs=tuple(flags.inputs),
        out=flags.out,
        model=flags.model,
        escalate=tuple(flags.escalate or ()),
        threshold=flags.threshold,
        max_usd=_amount(flags.max_usd),
        prices=tuple(flags.price or ()),
        batch=flags.batch,
        batch_wait_h=flags.batch_wait,
        vllm_args=tuple(flags.vllm_arg or ()),
        promise=_promise(flags),
        calibration=flags.calibration,
        overwrite=flags.overwrite,
        retry_failed=flags.retry_failed,
        download=not flags.no_download,
        whole=flags.ask_whole,
    )


def _promise(flags: Flags) -> Promise | None:
    if flags.leave_out and not (flags.earlier or flags.reuse):
        raise UsageError("--leave-out belongs to --earlier.", "Name a certified run with --earlier, or leave it out.")
    if flags.target is None:
        if flags.earlier or flags.reuse or flags.per or flags.ask_twice:
            raise UsageError(
                "--earlier, --reuse, --per and --ask-twice belong to --target.", "Add it, or leave them out."
            )
        return None
    target = _share("--target", flags.target, least=Decimal("0.5"))
    delta = _share("--delta", flags.delta, least=Decimal(0))
    earlier, twice = tuple(flags.earlier or ()), flags.ask_twice or 0
    return Promise(target, delta, flags.seed, earlier, flags.reuse, flags.per, twice, flags.leave_out)


def _share(flag: str, text: str, *, least: Decimal) -> Decimal:
    share = _number(text)
    if not (share.is_finite() and least < share < 1):
        raise ConfigError(
            f"{flag} {text!r}: not a share between {least} and 1.", f"For example {flag} {'0.95' if least else '0.1'}."
        )
    return share


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    amount = _number(text)
    if not (amount.is_finite() and amount > 0):
        raise ConfigError(f"--max-usd {text!r}: not an amount of USD above 0.", "For example --max-usd 2.50.")
    return amount


def _number(text: str) -> Decimal:
    """Read a number; what is none is told apart by not being finite."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _warn(plan: Plan, config: ConfigFile) -> None:
    """Say what the user may not have meant: files that are skipped, tier tables that no tier of this run uses."""
    used = {tier.name for tier in plan.tiers}
    for name in config.tier:
        if str(parse_spec(name)) not in used:
            typer.echo(f"Warning: the configuration's table for tier {name} is not used by this run.", err=True)
    for tier in plan.tiers[:-1]:
        if blind(tier):
            typer.echo(
                f"Warning: {tier.name} tells no logprobs: all that it answers goes on to the next tier.", err=True
            )
    for tier in plan.tiers:
        if (
            plan.curves.tiers
            and tier.name not in plan.curves.tiers
            and not (blind(tier) or tier.embedded or tier.sorts)
        ):
            typer.echo(f"Warning: the calibration knows no curve for {tier.name}: its scores stay scores.", err=True)
    task = plan.task
    if (
        isinstance(task, ClassifyTask)
        and any(tier.name == "head" for tier in plan.tiers)
        and not task.labels.exemplified
    ):
        typer.echo(NAMES_ALONE, err=True)
    skipped = plan.found.skipped
    if skipped:
        names = ", ".join(path.name for path in skipped[:SKIPPED_SHOWN])
        more = f" and {len(skipped) - SKIPPED_SHOWN} more" if len(skipped) > SKIPPED_SHOWN else ""
        typer.echo(f"Warning: {len(skipped)} files of unknown type are skipped: {names}{more}.", err=True)


def _report(plan: Plan, folder: RunFolder, *, resumed: int, certificate: dict[str, Any] | None = None) -> Summary:
    sessions = spent(folder.sessions)
    costs = [
        TierCost(
            tier.name,
            tier.spec.engine,
            tier.spec.model,
            tier.local,
            replace(tier.price, source=tier.price_source),
            metered=tier.metered,
            token_price=tier.batch_price if tier.batched else None,
            left_out=certificate is not None and tier.name in certificate["left_out"],
        )
        for tier in plan.tiers
    ]
    parts = part_paths(folder.parts)
    ledger = totals(folder.ledger, run_id(folder))
    add_up(costs, parts, sessions.busy_s, ledger, again=part_paths(folder.again.parts))
    write_costs(folder.root / "cost.parquet", costs)
    facts = {
        "task": plan.task.name,
        "threshold": plan.threshold,
        "max_usd": None if plan.max_usd is None else str(plan.max_usd),
        "seconds": round(sessions.wall_s, 3),
        "resumed_rows": resumed,
        "skipped_files": len(plan.found.skipped),
        "instruction_characters": len(plan.task.instructions),
        "certificate": certificate,
    }
    from slmbatch.report.bill import unfinished
    from slmbatch.report.page import write_page
    from slmbatch.report.summary import summarise, write_summary

    summary = summarise(folder, costs, facts, sessions.paces)
    top = plan.tiers[-1]
    if len(costs) > 1 and top.price.paid and unfinished(summary) is None:
        summary = _compared(summary, parts, top.name, (top.batch_price if top.batched else None) or top.price)
    write_page(folder.root, summary)
    write_summary(folder.root, summary)
    return summary


def _compared(summary: Summary, parts: Sequence[Path], tier: str, price: Price) -> Summary:
    """Add what the last tier alone would have cost."""
    from slmbatch.report.bill import compared
    from slmbatch.report.compare import compare

    return compared(summary, compare(parts, tier, price, instructions=summary["instruction_characters"]))
