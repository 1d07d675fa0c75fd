"""What a certified run's report says of its certificate, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 20  # classes or fields; the others are in report.json
HEAD = ("rows", "labels", "differ", "kept", "of kept agree at least")


def promised(told: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the `certificate` of report.json; none where the run had no --target."""
    if told is None:
        return []
    besides = [f"By the last tier's labels {one['said']}" for one in told.get("replaced", [])]
    besides += told.get("earlier", [])
    if "refused" in told:
        return [f"No certificate: {told['message']}", *besides]
    if "per" in told:
        return [*_each(told), *besides]
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


def _each(told: Mapping[str, Any]) -> list[str]:
    """Say what holds for each class or field; `parts_table` has the figures."""
    per, top, parts, refused = told["per"], told["top_tier"], told["parts"], told["refused_parts"]
    whose = "rows said to be of it" if per == "class" else "values in all rows"
    said = (
        f"Certified for each {per} below: with {1 - told['delta']:.0%} certainty for all {len(parts)} together, at "
        f"least {told['agreement']:.2%} of its {whose} are as {top} would say ({told['asked_on']}). "
        f"{told['kept']:,} rows keep their cheap answer."
    )
    without = f"{len(refused)} other {'class has' if len(refused) == 1 else 'classes have'} no certificate"
    return [said, *([f"{without}: {top} answers all their rows."] if refused else [])]


def parts_table(told: Mapping[str, Any] | None) -> list[list[str]]:
    """Return a row of texts for each certified class or field: its name, then as HEAD says."""
    if told is None or "per" not in told:
        return []
    names = ("rows", "sample", "errors", "kept")
    return [
        [name, *(f"{one[key]:,}" for key in names), f"{one['kept_agreement_least']:.1%}"]
        for name, one in told["parts"].items()
    ]


def lines_of_parts(told: Mapping[str, Any] | None) -> list[str]:
    """Return that table for a terminal, and why some have no certificate."""
    rows = parts_table(told)
    if told is None or not rows:
        return []
    head, *lines = (
        f"  {name:<32}" + "".join(f" {one:>8}" for one in figures) for name, *figures in [[told["per"], *HEAD], *rows]
    )
    without = [f"  {name}: {why}" for name, why in told["refused_parts"].items()]
    return [head, *shortened(lines, "certificates"), *shortened(without, "without one")]


def shortened(lines: Sequence[str], what: str) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"    and {more} more {what}"] if more > 0 else [])]
