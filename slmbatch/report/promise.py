"""What a certified run's report says of its certificate, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def statement(agreement: float, delta: float, *, rows: str, top_tier: str) -> str:
    """Return the promise in words. Shares keep their digits: rounded, they would promise more than was asked for."""
    return f"with {_percent(1 - delta)} certainty at least {_percent(agreement)} of {rows} are as {top_tier} would say"


def promised(told: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the `certificate` of report.json; none where the run had no --target."""
    if told is None:
        return []
    replaced = [f"By the last tier's labels {one['said']}" for one in told.get("replaced", [])]
    if "refused" in told:
        return [f"No certificate: {told['message']}", *replaced]
    kept, rows, errors = told["kept"], told["rows"], told["errors"]
    of = "them" if "drift" in told else f"{rows:,} rows"
    said = statement(told["agreement"], told["delta"], rows=of, top_tier=told["top_tier"])
    if "drift" in told:
        return [
            f"Certified, if the {rows:,} rows are like {told['sample']:,} labelled ones of an earlier batch: {said} "
            f"({told['asked_on']}).",
            f"It answers {rows - kept:,} of them itself; of the labelled ones {errors:,} differed.",
        ]
    return [
        f"Certified: {said} ({told['asked_on']}).",
        f"It answers {rows - kept:,} of them itself; of {told['sample']:,} drawn at random {errors:,} differed.",
        *replaced,
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.6g}%"
