"""A promise for every class or every field: several certificates that hold together, each with its share of delta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from slmbatch.certificates.counting import Target, tolerated_errors
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.ways import Way


def share(target: Target, parts: int) -> Target:
    """Return the target of one of `parts` certificates that miss, all together, with at most the target's delta."""
    return Target(target.agreement, target.delta / parts)


def plan_classes(
    ways: Mapping[str, tuple[Way, Batch]], target: Target, *, prices: Sequence[Decimal] | None = None
) -> dict[str, Plan | Refusal]:
    """Plan a certificate for each predicted class: its rows are a pool of their own, with a sample of their own.

    What is promised is that among the rows for which the cheap tier said a class, so many agree with the top tier.
    """
    own = share(target, len(ways))
    return {name: plan(way, batch, own, prices=prices) for name, (way, batch) in ways.items()}


@dataclass(frozen=True, slots=True)
class FieldPlans:
    """One sample for all fields, since one answer of the top tier labels them all, and what each tolerates in it.

    A field that `tolerated` doesn't name can't keep any cheap value.
    """

    sample: int
    tolerated: Mapping[str, int]
    refused: Mapping[str, Refusal]


def plan_fields(
    ways: Mapping[str, Way], batch: Batch, target: Target, *, prices: Sequence[Decimal] | None = None
) -> FieldPlans:
    """Plan a certificate for each field, the unit being one document's value of it.

    The sample is the largest that a field wants; a further label of a field costs nothing and tolerates more errors.
    """
    own = share(target, len(ways))
    plans = {name: plan(way, batch, own, prices=prices) for name, way in ways.items()}
    sample = max((one.sample for one in plans.values() if isinstance(one, Plan)), default=0)
    tolerated = {}
    for name, one in plans.items():
        if isinstance(one, Plan):
            errors = tolerated_errors(pool=one.pool, allowed=one.allowed, sample=sample, delta=own.delta)
            tolerated[name] = one.tolerated if errors is None else errors
    return FieldPlans(sample, tolerated, {name: one for name, one in plans.items() if isinstance(one, Refusal)})
