"""The design of a certified run: one plan for all rows, or one for every class or field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

import msgspec

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.certificate import Certificate
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.parts import Part
from slmbatch.certificates.planning import Plan, plan
from slmbatch.certificates.several import VERSION, Certificates, Settled
from slmbatch.certificates.shares import Plans, plan_classes, plan_fields
from slmbatch.certificates.ways import ranked_way

Design: TypeAlias = Plan | Plans


def design(
    per: str | None,
    parts: Mapping[str, Part],
    chances: Mapping[str, Sequence[Doubles]],
    target: Target,
    *,
    rows: int,
    prices: Sequence[Decimal] | None,
) -> Design | Refusal:
    """Plan the labels of a batch of `rows`, by guesses of P(wrong) at each rank of each part."""
    ways = {name: ranked_way(some) for name, some in chances.items()}
    if per == "class":
        return plan_classes(parts, ways, target, rows=rows, prices=prices)
    if per == "field":
        return plan_fields(parts, ways, target, prices=prices)
    ((name, whole),) = parts.items()
    return plan(ways[name], whole.shape, target, prices=prices)


def read_design(text: bytes, per: str | None) -> Design:
    """Read what was planned in an earlier session."""
    return msgspec.json.decode(text, type=Plan) if per is None else msgspec.json.decode(text, type=Plans)


def plans_of(planned: Design) -> Mapping[str, Plan]:
    """Return the plans by the names of their parts; that of all rows has none."""
    return planned.plans if isinstance(planned, Plans) else {"": planned}


def certificate_of(planned: Design, settled: Settled) -> Certificate | Certificates:
    """Return what the run's certificate file will say."""
    if not isinstance(planned, Plans):
        return settled.certificates[""]
    agreement, delta = planned.target.agreement, planned.target.delta
    refused = {**planned.refused, **settled.refused}
    return Certificates(VERSION, planned.per, agreement, delta, len(planned.plans), settled.certificates, refused)
