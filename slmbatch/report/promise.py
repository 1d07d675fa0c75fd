"""What a certified run's report says of its certificate, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS_SHOWN = 3  # of those that a last tier says differently when it's asked twice


def statement(agreement: float, delta: float, *, rows: str, top_tier: str) -> str:
    """Return the promise in words. Shares keep their digits: rounded, they would promise more than was asked for."""
    return f"with {_percent(1 - delta)} certainty at least {_percent(agreement)} of {rows} are as {top_tier} would say"


def promised(told: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the `certificate` of report.json; none where the run had no --target."""
    if told is None:
        return []
    besides = [f"By the last tier's labels {one['said']}" for one in told.get("replaced", [])]
    besides += _asked_twice(told.get("asked_twice"))
    if "refused" in told:
        return [f"No certificate: {told['message']}", *besides]
    kept, rows, errors = told["kept"], told["rows"], told["errors"]
    of = "them" if "drift" in told else f"{rows:,} rows"
    said = statement(told["agreement"], told["delta"], rows=of, top_tier=told["top_tier"])
    if "drift" in told:
        return [
            f"Certified, if the {rows:,} rows are like {told['sample']:,} labelled ones of an earlier batch: {said} "
            f"({told['asked_on']}).",
            f"It answers {rows - kept:,} of them itself; of the labelled ones {errors:,} differed.",
            *besides,
        ]
    return [
        f"Certified: {said} ({told['asked_on']}).",
        f"It answers {rows - kept:,} of them itself; of {told['sample']:,} drawn at random {errors:,} differed.",
        *besides,
    ]


def _asked_twice(one: Mapping[str, Any] | None) -> list[str]:
    """Say how often the last tier repeats itself, and what follows from that."""
    if one is None:
        return []
    texts, same = one["texts"], one["same"]
    drawn = f"of {one['drawn']:,} rows drawn for that {texts:,} texts got two answers"
    if not texts:
        return [f"Asked twice: {drawn}."]
    beside = "" if texts == one["drawn"] else f"; {drawn}"
    said = [
        f"Asked twice, the last tier says the same of {same:,} of {texts:,} texts: {one['share']:.3g} "
        f"({one['low']:.3f} to {one['high']:.3f} with 95% certainty){beside}."
    ]
    moved = sorted((alike - texts, path) for path, alike in one["fields"].items() if alike < texts)
    if moved:
        most = ", ".join(f"{path} {-times:,}" for times, path in moved[:FIELDS_SHOWN])
        said.append(f"Fields that it says differently most often: {most}.")
    if same < texts:
        said.append(
            f"No cheaper tier can be expected to agree with it in more than {one['most']:.3g}, the square root of "
            "that: temperature 0 doesn't make a provider repeat itself."
        )
    return said


def _percent(share: float) -> str:
    return f"{100 * share:.6g}%"
