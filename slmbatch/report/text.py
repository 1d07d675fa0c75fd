"""A run's figures as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from slmbatch.engines.settings import EMBEDDED, TRIAGE
from slmbatch.heads.fields.sheet import MAX_CHARS as SEARCHED_CHARS
from slmbatch.readers.sources import MAX_CHARS, MAX_PAGES
from slmbatch.report.promise import lines_of_parts, promised
from slmbatch.report.summary import Summary

LABELS_SHOWN = 20
TITLES = {"total": "this way", "all_to": "all to it", "saving": "saved"}


def as_text(summary: Summary) -> str:
    """Return the summary as lines for a terminal."""
    rows, seconds = summary["rows"], summary["seconds"]
    lines = [f"{summary['task']}: {rows} rows in {seconds:.1f} s" + (f" ({rows / seconds:.1f}/s)" if seconds else "")]
    lines += [f"  {status:<12} {count:>8}  {100 * count / rows:5.1f} %" for status, count in summary["status"].items()]
    if summary["resumed_rows"]:
        lines.append(f"  {summary['resumed_rows']} rows had been settled by earlier sessions; the time is that of all")
    if summary["truncated"]:
        lines += _truncated(summary)
    if summary["skipped_files"]:
        lines.append(f"  {summary['skipped_files']} files of unknown type were skipped")
    lines.append("tiers:")
    lines += [line for tier in summary["tiers"] for line in _tier(tier)]
    for one in summary["over_budget"]:
        lines.append(f"  {one['rows']} rows wait for {one['tier']}: the budget is reached")
    lines += promised(summary["certificate"]) + lines_of_parts(summary["certificate"])
    lines += _bill(summary["bill"])
    for name in ("labels", "types"):
        lines += _counted(name, summary.get(name) or {})
    if summary["reasons"]:
        lines += _reasons(summary)
    if summary["uncalibrated_rows"]:
        lines.append(
            f"Scores of {summary['uncalibrated_rows']} rows are uncalibrated: a score of 0.9 doesn't mean right nine "
            "times out of ten."
        )
    return "\n".join(lines)


def _truncated(summary: Summary) -> list[str]:
    """Say what was left out of documents, by the limits that the run's tiers have."""
    engines = {tier["engine"] for tier in summary["tiers"]}
    limits = [f"documents are read up to {MAX_CHARS:,} characters or {MAX_PAGES:,} pages"]
    if engines & {"rules", TRIAGE}:
        limits.append(f"rules search {SEARCHED_CHARS:,} characters: the beginning and the end")
    if "head" in engines:
        limits.append("heads look at the beginning of a text")
    if engines - {"rules", "head", TRIAGE, EMBEDDED}:
        limits.append("models are shown what fits their context")
    return [
        f"  {summary['truncated']} rows weren't read or asked about whole: `truncated` in results.parquet says which",
        *(f"    {limit}" for limit in limits),
    ]


def _reasons(summary: Summary) -> list[str]:
    examples, others = summary.get("reason_examples", {}), summary.get("other_reasons", {})
    lines = ["not accepted, because:"]
    for reason, count in summary["reasons"].items():
        lines.append(f"  {count:>8}  {reason}")
        if reason in examples:
            lines.append(f"  {'':8}  {'for example' if count > 1 else 'this is'} {examples[reason]}")
    if others.get("reasons"):
        rest, rows = others["reasons"], others["rows"]
        lines.append(f"  and {rest} other reason{'s' * (rest > 1)} for {rows} row{'s' * (rows > 1)}")
    return [*lines, "  every row's reason in full, with its remedy: column `reason` of results.parquet"]


def _tier(tier: Summary) -> list[str]:
    lines = [
        f"  {tier['tier']}: {tier['documents']} documents, {tier['settled']} accepted, {tier['requests']} requests, "
        f"{tier['input_tokens']} tokens in ({tier['cached_tokens']} cached), {tier['output_tokens']} out, "
        f"busy {tier['busy_s']:.1f} s, {_usd(tier['usd'])}",
        f"    {tier['basis']}",
    ]
    if tier["requests_in_doubt"]:
        lines.append(
            f"    {tier['requests_in_doubt']} requests are in doubt: sent, and what they cost isn't known; counted at "
            f"their worst case, {_usd(tier['usd_in_doubt'])}"
        )
    if tier["reused"]:
        lines.append(f"    {tier['reused']} answers had been paid for earlier, and cost nothing again")
    return lines


def _bill(bill: Mapping[str, Any]) -> list[str]:
    lines = ["bill:", *_item("total", bill["total"])]
    if bill["per_1000_rows"]:
        lines += _item("per 1,000 rows", bill["per_1000_rows"])
    if bill.get("fields_alone"):
        lines += _item("spared by asking for doubtful fields alone", bill["fields_alone"])
    if bill["all_to"] is None:
        lines.append("  what a larger model alone would have cost: slmbatch report OUT --compare-to ENGINE:MODEL")
    else:
        percent = bill["saving"]["percent"]
        lines += _item(f"all to {bill['all_to']['tier']}", bill["all_to"])
        lines += _item("saved" + (f" {percent} %" if percent else ""), bill["saving"])
    projection = bill["projection"] or {}
    for name in (name for name in TITLES if name in projection):
        spans = projection[name]
        lines.append(f"  {TITLES[name]}: {_usd(spans['month']['usd'])} a month, {_usd(spans['year']['usd'])} a year")
    return [*lines, f"    {projection['total']['month']['basis']}"] if projection else lines


def _item(title: str, figure: Mapping[str, str]) -> list[str]:
    return [f"  {title}: {_usd(figure['usd'])}", *(f"    {basis}" for basis in figure["basis"].split("; "))]


def _usd(amount: str) -> str:
    return f"{Decimal(amount):.6f} USD"


def _counted(name: str, rows: Mapping[str, int]) -> list[str]:
    lines = [f"{name}:"] if rows else []
    lines += [f"  {one:<32} {count:>8}" for one, count in list(rows.items())[:LABELS_SHOWN]]
    if len(rows) > LABELS_SHOWN:
        lines.append(f"  and {len(rows) - LABELS_SHOWN} more")
    return lines
