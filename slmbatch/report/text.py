"""A run's figures as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from slmbatch.report.summary import Summary

LABELS_SHOWN = 20


def as_text(summary: Summary) -> str:
    """Return the summary as lines for a terminal."""
    rows, seconds = summary["rows"], summary["seconds"]
    lines = [f"{summary['task']}: {rows} rows in {seconds:.1f} s" + (f" ({rows / seconds:.1f}/s)" if seconds else "")]
    lines += [f"  {status:<12} {count:>8}  {100 * count / rows:5.1f} %" for status, count in summary["status"].items()]
    if summary["resumed_rows"]:
        lines.append(f"  {summary['resumed_rows']} rows had been settled by earlier sessions; the time is that of all")
    if summary["truncated"]:
        lines.append(f"  {summary['truncated']} rows were truncated to the model's context")
    if summary["skipped_files"]:
        lines.append(f"  {summary['skipped_files']} files of unknown type were skipped")
    lines.append("tiers:")
    lines += [line for tier in summary["tiers"] for line in _tier(tier)]
    for one in summary["over_budget"]:
        lines.append(f"  {one['rows']} rows wait for {one['tier']}: the budget is reached")
    lines += _labels(summary.get("labels") or {})
    if summary["reasons"]:
        lines.append("not accepted, because:")
        lines += [f"  {count:>8}  {reason}" for reason, count in summary["reasons"].items()]
    if summary["uncalibrated_rows"]:
        lines.append(
            f"Scores of {summary['uncalibrated_rows']} rows are uncalibrated: a score of 0.9 doesn't mean right nine "
            "times out of ten."
        )
    return "\n".join(lines)


def _tier(tier: Summary) -> list[str]:
    lines = [
        f"  {tier['tier']}: {tier['documents']} documents, {tier['settled']} accepted, {tier['requests']} requests, "
        f"{tier['input_tokens']} tokens in ({tier['cached_tokens']} cached), {tier['output_tokens']} out, "
        f"busy {tier['busy_s']:.1f} s, {float(tier['usd']):.6f} USD",
        f"    price: {tier['price_source']}",
    ]
    if tier["requests_in_doubt"]:
        lines.append(
            f"    {tier['requests_in_doubt']} requests are in doubt: sent, and no usable reply came; counted at their "
            f"worst case, {float(tier['usd_in_doubt']):.6f} USD"
        )
    if tier["reused"]:
        lines.append(f"    {tier['reused']} answers had been paid for earlier, and cost nothing again")
    return lines


def _labels(labels: Mapping[str, int]) -> list[str]:
    lines = ["labels:"] if labels else []
    lines += [f"  {label:<32} {count:>8}" for label, count in list(labels.items())[:LABELS_SHOWN]]
    if len(labels) > LABELS_SHOWN:
        lines.append(f"  and {len(labels) - LABELS_SHOWN} more")
    return lines
