"""What a run has to reach: bounds for its measures, and no measure significantly worse than in an earlier run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from slmbatch.errors import ConfigError
from slmbatch.evaluate.evaluation import Change, Evaluation
from slmbatch.evaluate.judged import Measure

SIGNIFICANT = 0.05
LOW_IS_GOOD = ("ece", "aurc", "usd_per_right")  # ends of measures' names
BOUND = re.compile(r"\s*(?P<what>[^=,][^=]*?)\s*=\s*(?P<bound>[^,=]+?)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Bound:
    """What one measure has to reach, or mustn't exceed; `what` is its name, after a colon that of a label or field."""

    what: str
    bound: float
    least: bool


def parse_bounds(texts: Sequence[str], *, least: bool) -> list[Bound]:
    """Read `accuracy=0.9,recall:exchange rate=0.8`, from --min (`least`) or --max. Raises ConfigError."""
    flag, bounds = "--min" if least else "--max", []
    for text in texts:
        place = 0
        while place < len(text):
            found = BOUND.match(text, place)
            if found is None:
                raise ConfigError(f"{flag} {text!r}: not MEASURE=NUMBER.", f"For example {flag} accuracy=0.9.")
            place = found.end()
            try:
                bounds.append(Bound(found["what"], float(found["bound"]), least))
            except ValueError as error:
                remedy = f"For example {flag} {found['what']}=0.9."
                raise ConfigError(f"{flag} {text!r}: {found['bound']!r} is not a number.", remedy) from error
    return bounds


def shortfalls(evaluation: Evaluation, bounds: Sequence[Bound]) -> list[str]:
    """Say which bounds the measures don't keep. Raises ConfigError for one that this run doesn't have."""
    known = {_what(one): one for one in evaluation.measures}
    return [told for bound in bounds if (told := _shortfall(_find(known, bound), bound))]


def _what(one: Measure) -> str:
    return one.metric if one.name is None else f"{one.metric}:{one.name}"


def _find(known: dict[str, Measure], bound: Bound) -> Measure:
    flag = "--min" if bound.least else "--max"
    if bound.what not in known:
        near = get_close_matches(bound.what, known, n=1, cutoff=0.5)
        told = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(one for one in known if ':' not in one)}."
        raise ConfigError(f"{flag} {bound.what}: nothing of this name was measured.", told)
    if known[bound.what].metric.endswith(LOW_IS_GOOD) is bound.least:
        other = "--max" if bound.least else "--min"
        better = "lower" if bound.least else "higher"
        raise ConfigError(f"{flag} {bound.what}: is better the {better} it is.", f"Give it to {other}.")
    return known[bound.what]


def _shortfall(one: Measure, bound: Bound) -> str | None:
    if one.value >= bound.bound if bound.least else one.value <= bound.bound:
        return None
    side = "below" if bound.least else "above"
    between = "" if one.low is None or one.high is None else f", 95 % interval {one.low:.4g} to {one.high:.4g}"
    return f"{bound.what} is {one.value:.4g}, {side} {bound.bound:g} ({one.documents} documents{between})"


def worse(changes: Sequence[Change]) -> list[Change]:
    """The measures that have got significantly worse."""
    return [one for one in changes if one.new < one.old and one.p < SIGNIFICANT]


def told(change: Change) -> str:
    """Say what became of a measure, and how sure that is."""
    direction = "unchanged" if change.new == change.old else "worse" if change.new < change.old else "better"
    sure = "" if change.new == change.old else f", {'' if change.p < SIGNIFICANT else 'not '}significantly"
    return (
        f"{change.metric} {change.old:.4f} -> {change.new:.4f}: {direction}{sure} "
        f"(difference {change.low:+.4f} to {change.high:+.4f}, p = {change.p:.3g}, {change.test})"
    )
