"""What a certified run's report says of its certificate, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def promised(told: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the `certificate` of report.json; none where the run had no --target."""
    if told is None:
        return []
    besides = [f"By the last tier's labels {one['said']}" for one in told.get("replaced", [])]
    besides += told.get("earlier", [])
    if "refused" in told:
        return [f"No certificate: {told['message']}", *besides]
    kept, rows, errors = told["kept"], told["rows"], told["errors"]
    if "drift" in told:
        return [
            f"Certified, if the {rows:,} rows are like {told['sample']:,} labelled ones of an earlier batch: with "
            f"{1 - told['delta']:.0%} certainty at least {told['agreement']:.2%} of them are as {told['top_tier']} "
            f"would say ({told['asked_on']}).",
            f"It answers {rows - kept:,} of them itself; of the labelled ones {errors:,} differed.",
            *besides,
        ]
    return [
        f"Certified: with {1 - told['delta']:.0%} certainty at least {told['agreement']:.2%} of {rows:,} rows are as "
        f"{told['top_tier']} would say ({told['asked_on']}).",
        f"It answers {rows - kept:,} of them itself; of {told['sample']:,} drawn at random {errors:,} differed.",
        *besides,
    ]
