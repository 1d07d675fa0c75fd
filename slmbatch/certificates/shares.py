"""Plans for every class or every field: several certificates that hold together, each with its share of delta.

The chance that any of them is broken is at most the sum of their chances, so each gets delta / the number of those that
are planned. Which are planned, and with which share, follows from what is frozen (rows, scores, prices) and from no
label. One that a gate refuses later, when labels are known, has had its share and doesn't give it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import LEAST_SAVING, MIN_ACCEPTED_AGREEMENT, Reason, Refusal, fewest_kept
from slmbatch.certificates.parts import Part, keeps
from slmbatch.certificates.planning import Forecast, Plan, plan, widen
from slmbatch.certificates.ways import Way

NAMED = 5  # of refused classes or fields, beside the one whose reason is told


@dataclass(frozen=True, slots=True)
class Plans:
    """A plan for each class or field (`per`); of what is `refused` nothing is kept.

    `target` has the delta of all together. `labels` rows are drawn; of `rows` the top tier is asked about `asked`,
    labels included. USD as in Plan.
    """

    per: str
    target: Target
    rows: int
    plans: Mapping[str, Plan]
    refused: Mapping[str, Refusal]
    labels: int
    asked: Forecast
    usd: Decimal | None
    usd_high: Decimal | None
    alone_usd: Decimal | None


def share(target: Target, parts: int) -> Target:
    """Return the target of one of `parts` certificates that miss, all together, with at most the target's delta."""
    return Target(target.agreement, target.delta / parts)


def plan_classes(
    parts: Mapping[str, Part],
    ways: Mapping[str, Way],
    target: Target,
    *,
    rows: int,
    prices: Sequence[Decimal] | None = None,
) -> Plans | Refusal:
    """Plan a certificate for each predicted class: its rows are a pool of their own, with a sample of their own.

    What is promised is that among the rows for which the cheap tier said a class, so many agree with the top tier.
    The fewer have a plan, the larger is each one's share. So classes that all of delta is too little for get none; and
    while some are refused with their share, the smaller half of these goes up whole, and the others share anew.
    """
    left, refused = _planned(parts, ways, target, prices)
    while True:
        made, short = _planned({name: parts[name] for name in left}, ways, share(target, len(left) or 1), prices)
        if not short:
            break
        smaller = sorted(short, key=lambda name: parts[name].rows)[: (len(short) + 1) // 2]
        refused |= {name: short[name] for name in smaller}
        left = {name: one for name, one in left.items() if name not in smaller}
    if not made:
        return none_left(refused, parts)
    labels = sum(one.sample for one in made.values())
    kept = [sum(some) for some in zip(*(_kept(one) for one in made.values()), strict=True)]
    if kept[0] < LEAST_SAVING * rows:
        said = f"about {kept[0]:,} of {rows:,} rows are expected to keep their cheap answer, with {labels:,} labels"
        why = f"{said}: {len(made):,} of {len(parts):,} classes have rows enough. One promise for all rows needs fewer."
        return Refusal(Reason.SAVES_TOO_LITTLE, why, {"kept": float(kept[0]), "rows": float(rows)})
    return _plans("class", target, (made, refused), (rows, labels, kept), prices)


def _planned(
    parts: Mapping[str, Part], ways: Mapping[str, Way], own: Target, prices: Sequence[Decimal] | None
) -> tuple[dict[str, Plan], dict[str, Refusal]]:
    """Plan each part with the same target; returns the plans, and the refusals of the others."""
    plans = {name: plan(ways[name], one.shape, own, prices=prices) for name, one in parts.items()}
    made = {name: one for name, one in plans.items() if isinstance(one, Plan)}
    return made, {name: one for name, one in plans.items() if isinstance(one, Refusal)}


def plan_fields(
    parts: Mapping[str, Part], ways: Mapping[str, Way], target: Target, *, prices: Sequence[Decimal] | None = None
) -> Plans | Refusal:
    """Plan a certificate for each field, the unit being one document's value of it.

    One answer of the top tier labels all fields, so all have the same sample: the largest that one wants. A document
    stays only where all fields let it, so a field that nothing is kept of refuses the whole.
    """
    made, refused = _planned(parts, ways, share(target, max(1, len(parts))), prices)
    if refused or not made:
        return none_left(refused, parts)
    size = max(one.sample for one in made.values())
    made = {name: widen(one, ways[name], size, prices=prices) for name, one in made.items()}
    first = next(iter(made.values()))
    kept = [_kept_by_all(parts, made, end) for end in range(3)]
    return _too_few_left(first, kept[0]) or _plans("field", target, (made, {}), (first.rows, size, kept), prices)


def _too_few_left(one: Plan, kept: int) -> Refusal | None:
    """Refuse what the gates would after labelling. All fields have the same numbers: those of `one`."""
    said = f"about {kept:,} of {one.rows:,} rows are expected to be before the lines of all fields"
    numbers = {"kept": float(kept), "rows": float(one.rows), "labels": float(one.sample)}
    if kept < LEAST_SAVING * one.rows:
        return Refusal(Reason.SAVES_TOO_LITTLE, f"{said}, with {one.sample:,} labels.", numbers)
    least, pool, delta = MIN_ACCEPTED_AGREEMENT, one.pool, one.target.delta
    needed = fewest_kept(
        pool=pool, sample=one.sample, tolerated=one.tolerated, delta=delta, min_accepted_agreement=least
    )
    if kept < needed:
        why = (
            f"{said}. For {least:.0%} of them to be sure to agree in each, {needed:,} must be: ask for a higher target."
        )
        return Refusal(Reason.KEPT_ROWS_WRONG, why, {**numbers, "needed": float(needed)})
    return None


def none_left(refused: Mapping[str, Refusal], parts: Mapping[str, Part]) -> Refusal:
    """Refuse the whole for the sake of its parts, in the words of the one with most rows; a part may have no name."""
    name = max(refused, key=lambda one: len(parts[one].places)) if refused else None
    if name is None:
        return Refusal(Reason.NOTHING_KEPT, "no row has an answer that may be kept.")
    told = refused[name]
    if not name:
        return told
    others = sorted(refused.keys() - {name})
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    besides = f" Refused, too: {', '.join(others[:NAMED])}{more}." if others else ""
    return Refusal(told.reason, f"{name}: {told.message}{besides}", {**told.numbers, "refused": float(len(refused))})


def _kept(one: Plan) -> tuple[int, int, int]:
    """Return how many rows are expected to be kept, at most and at least, in the order of Forecast."""
    asked = one.asked[-1]
    return one.rows - asked.expected, one.rows - asked.low, one.rows - asked.high


def _kept_by_all(parts: Mapping[str, Part], plans: Mapping[str, Plan], end: int) -> int:
    """Count the rows before all lines, if each lies where its plan expects it; `end` as in `_kept`."""
    lines = {}
    for name, one in plans.items():
        unlabelled = max(1, one.pool - one.sample)
        lines[name] = round(one.pool * min(1.0, _kept(one)[end] / unlabelled)), one.sample
    return int(keeps(parts, lines).sum())


def _plans(
    per: str,
    target: Target,
    parts: tuple[dict[str, Plan], dict[str, Refusal]],
    counts: tuple[int, int, list[int]],
    prices: Sequence[Decimal] | None,
) -> Plans:
    """Add up: `counts` are all rows, labels, and the rows that are kept as `_kept` has them."""
    rows, labels, kept = counts
    asked = Forecast(*(rows - one for one in kept))
    usd, high = (rows * prices[0] + one * prices[-1] if prices else None for one in (asked.expected, asked.high))
    alone = rows * prices[-1] if prices else None
    return Plans(per, target, rows, *parts, labels, asked, usd, high, alone)
