"""What a certified run's report says of its certificate, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 20  # classes or fields; the others are in report.json
FIELDS_SHOWN = 3  # of those that a last tier says differently when it's asked twice
HEAD = ("rows", "labels", "differ", "kept", "of kept agree at least")


def statement(agreement: float, delta: float, *, rows: str, top_tier: str) -> str:
    """Return the promise in words. Shares keep their digits: rounded, they would promise more than was asked for."""
    return f"with {percent(1 - delta)} certainty at least {percent(agreement)} of {rows} are as {top_tier} would say"


def statement_of_each(agreement: float, delta: float, *, each: str, count: int, top_tier: str) -> str:
    """Return the promises of classes or fields in words; `each` are rows or values of one of them."""
    together = f"with {percent(1 - delta)} certainty for all {count} together"
    return f"{together}, at least {percent(agreement)} of its {each} are as {top_tier} would say"


def promised(told: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the `certificate` of report.json; none where the run had no --target."""
    if told is None:
        return []
    besides = [f"By the last tier's labels {one['said']}" for one in told.get("replaced", [])]
    besides += _asked_twice(told.get("asked_twice"))
    besides += told.get("earlier", [])
    if "refused" in told:
        return [f"No certificate: {told['message']}", *besides]
    if "per" in told:
        return [*_each(told), *besides]
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


def percent(share: float) -> str:
    return f"{100 * share:.6g}%"


def _each(told: Mapping[str, Any]) -> list[str]:
    """Say what holds for each class or field; `parts_table` has the figures."""
    per, top, parts, refused = told["per"], told["top_tier"], told["parts"], told["refused_parts"]
    whose = "rows said to be of it" if per == "class" else "values in all rows"
    promise = statement_of_each(told["agreement"], told["delta"], each=whose, count=len(parts), top_tier=top)
    said = (
        f"Certified for each {per} below: {promise} ({told['asked_on']}). "
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
