"""The bill: what a run cost and what that rests on, against the largest tier alone, and for a month or a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from slmbatch.money.prices import PICO
from slmbatch.report.compare import Comparison
from slmbatch.report.costs import TierCost

Figure: TypeAlias = dict[str, str]  # `usd`, a decimal with at most twelve places, and its `basis`
PERCENT = Decimal("0.1")
MONTHS = 12


def itemised(costs: Sequence[TierCost], rows: int) -> dict[str, Any]:
    """Return the bill of a run: its sums and what a thousand rows cost. Nothing is compared or projected yet."""
    billed = sum((cost.usd_billed for cost in costs), Decimal(0))
    doubtful = sum((cost.usd_in_doubt for cost in costs), Decimal(0))
    estimated = sum((cost.usd_estimated for cost in costs), Decimal(0))
    total = billed + doubtful + estimated
    requests = sum(cost.requests_in_doubt for cost in costs)
    named = {"billed": billed, "in doubt": doubtful, "estimated": estimated}
    summed = " + ".join(name for name, amount in named.items() if amount) or "nothing was spent"
    per_thousand = _figure(1000 * total / rows, f"total over all {rows:,} rows, times 1,000") if rows else None
    return {
        "total": _figure(total, summed),
        "billed": _figure(billed, _basis(costs, "usd_billed") or "nothing was billed"),
        "in_doubt": _figure(doubtful, f"worst case of {requests:,} requests of unknown cost"),
        "estimated": _figure(estimated, _basis(costs, "usd_estimated") or "no tier is paid by the hour"),
        "per_1000_rows": per_thousand,
        "fields_alone": _fields_alone(costs),
        "all_to": None,
        "saving": None,
        "projection": None,
    }


def _fields_alone(costs: Sequence[TierCost]) -> Figure | None:
    """What asking for doubtful fields alone has saved, None where all was asked again or nothing went up."""
    spared = [cost for cost in costs if cost.spared.input_tokens or cost.spared.output_tokens]
    if not spared:
        return None
    tokens = "; ".join(
        f"{cost.tier}: {cost.spared_input_tokens:,} tokens in and {cost.spared_output_tokens:,} out not needed"
        for cost in spared
    )
    basis = f"estimated: against asking for all fields again with the whole text, by characters; {tokens}"
    return _figure(sum((cost.usd_spared for cost in spared), Decimal(0)), basis)


def unfinished(summary: Mapping[str, Any]) -> str | None:
    """Return why the total isn't what these rows cost, so that nothing follows from it; None where it is."""
    waiting = sum(one["rows"] for one in summary["over_budget"])
    if waiting:
        return f"{waiting} rows wait for a higher --max-usd"
    for tier in summary["tiers"]:
        if tier["paid"] and tier["documents"] and not Decimal(tier["usd"]):
            return f"{tier['tier']} was asked and nothing was paid for it: earlier runs have paid, or it refused"
    return None


def compared(summary: Mapping[str, Any], found: Comparison) -> dict[str, Any]:
    """Return the summary with what one tier would have cost for the same rows, and what was saved against that."""
    bill = summary["bill"]
    saved = found.usd - Decimal(bill["total"]["usd"])
    all_to = {
        "tier": found.tier,
        "contents": found.contents,
        "answered": found.answered,
        **_figure(found.usd, _assumptions(found)),
        "usd_answered": _plain(found.usd_answered),
        "usd_estimated": _plain(found.usd_estimated),
    }
    percent = str((100 * saved / found.usd).quantize(PERCENT)) if found.usd else None
    saving = _figure(saved, "; ".join(["estimated: the comparison less the total", *_cautions(summary)])) | {
        "percent": percent
    }
    return {**summary, "bill": {**bill, "all_to": all_to, "saving": saving}}


def projected(summary: Mapping[str, Any], volume: int) -> dict[str, Any]:
    """Return the summary with what so many rows a month would cost, in a month and a year."""
    bill, rows = summary["bill"], summary["rows"]
    if not rows:
        return dict(summary)
    projection: dict[str, Any] = {"volume": volume}
    for name in ("total", "all_to", "saving"):
        if bill[name] is not None:
            month = Decimal(bill[name]["usd"]) * volume / rows
            basis = f"estimated: this run's {rows:,} rows, scaled"
            projection[name] = {"month": _figure(month, basis), "year": _figure(MONTHS * month, basis)}
    return {**summary, "bill": {**bill, "projection": projection}}


def _assumptions(found: Comparison) -> str:
    """Say what is known and what is assumed of the comparison."""
    guessed = found.contents - found.answered
    parts = [f"{found.contents:,} texts asked once each (equal ones together), no retries, at {found.price}"]
    if found.answered:
        parts.append(f"{found.answered:,} with the tokens it reported")
    if found.in_part:
        parts.append(f"for {found.in_part:,} of these, asked for some fields alone, the other fields are estimated")
    if guessed:
        parts.append(f"{guessed:,} estimated: {found.assumed}")
    return "; ".join(parts)


def _cautions(summary: Mapping[str, Any]) -> list[str]:
    """What the comparison holds and the total doesn't."""
    waiting = sum(one["rows"] for one in summary["over_budget"])
    reused = sum(one["reused"] for one in summary["tiers"])
    unpriced = any(one["local"] and not Decimal(one["usd_estimated"]) for one in summary["tiers"])
    said = {
        f"{waiting} rows that the budget kept waiting are counted in that only": waiting,
        f"{reused} answers came from the ledger: those that another run paid for aren't in the total": reused,
        "this machine's own cost isn't counted without usd_per_hour": unpriced,
    }
    return [caution for caution, holds in said.items() if holds]


def _basis(costs: Sequence[TierCost], amount: str) -> str:
    """The bases of the tiers that this amount comes from, each once."""
    return "; ".join(dict.fromkeys(cost.basis for cost in costs if getattr(cost, amount)))


def _figure(usd: Decimal, basis: str) -> Figure:
    return {"usd": _plain(usd), "basis": basis}


def _plain(usd: Decimal) -> str:
    return format(usd.quantize(PICO), "f")
