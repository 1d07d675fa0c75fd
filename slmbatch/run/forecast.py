"""What the rest of a run will cost and take: how often each tier is asked, times what asking it costs.

How many of the rows that reach a tier go on to the next is known by a sample, or assumed; both as a Beta distribution.
Sums are drawn many times over, so that the forecast is a median and a 95th percentile, not a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.planning import plan as certificate
from slmbatch.certificates.ways import default_chances, ranked_way
from slmbatch.errors import OverBudget
from slmbatch.money.prices import Rates
from slmbatch.run.plan import Plan, TierPlan, blind
from slmbatch.run.promise import Promise
from slmbatch.run.survey import Survey
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import part_paths

HOUR_S = 3600.0
DRAWS, SEED = 4000, 20_261_125
ASSUMED = (2.0, 8.0)  # of ten rows two go up, 43 of a hundred at the 95th percentile
JEFFREYS = (0.5, 0.5)
CHARACTERS_PER_TOKEN = (3.0, 4.5)  # European languages, with today's tokenizers
REPLY = (0.1, 1.0)  # of max_tokens
SUFFICE = (0.5, 1.0)  # of long texts: passages of them tell enough (benchmarks/longdocs.py), else all pieces are asked
DOUBTFUL_IN, DOUBTFUL_OUT = (0.6, 0.95), (0.35, 0.65)  # of the tokens that asking for all fields takes (by_field.py)
Draws = npt.NDArray[np.float64]


@dataclass(slots=True)
class Asked:
    """What a sample says of one tier: the USD that each of its contents cost there.

    `busy_s` is how long the tier was at work for all contents that it was ever asked about, `contents` in number.
    """

    usd: list[float] = field(default_factory=list)
    busy_s: float = 0.0
    contents: int = 0
    over_budget: int = 0
    in_part: bool = False  # some of the sample's contents were asked for some fields alone


@dataclass(frozen=True, slots=True)
class TierForecast:
    """One tier's part of the rest: medians, and where it says so 95th percentiles. `measured`: by a sample.

    `share` is the part of the rows that reaches it, as a median and an interval that holds it with 90 %; `seconds` is
    None where nothing was measured.
    """

    tier: str
    measured: bool
    share: float
    share_interval: tuple[float, float]
    usd_p50: Decimal
    usd_p95: Decimal
    seconds: float | None
    price_source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The rest of a run: `contents` left to ask about after the `sampled` ones.

    `top_usd_p50`: what it would be were all of them asked of the last tier alone. `hourly` are the tiers whose time
    costs money and hasn't been measured: that isn't in any sum.
    """

    contents: int
    sampled: int
    tiers: tuple[TierForecast, ...]
    usd_p50: Decimal
    usd_p95: Decimal
    seconds_p50: float | None
    seconds_p95: float | None
    top_usd_p50: Decimal
    hourly: tuple[str, ...] = ()


def observe(folder: RunFolder, plan: Plan, sample: frozenset[bytes], busy_s: Mapping[str, float]) -> dict[str, Asked]:
    """Collect what the sample's results say of each tier; `busy_s` are the seconds of all sessions by tier."""
    seen = {tier.name: Asked(busy_s=busy_s.get(tier.name, 0.0)) for tier in plan.tiers}
    for path in part_paths(folder.parts):
        table = pq.read_table(path, columns=["key", "attempts"])
        for key, attempts in zip(table["key"].to_pylist(), table["attempts"].to_pylist(), strict=True):
            usd: dict[str, float] = {}  # a tier may be asked for the type and for the fields
            for one in attempts:
                if one["error_kind"] == OverBudget.kind:
                    seen[one["tier"]].over_budget += key in sample
                    continue
                usd[one["tier"]] = usd.get(one["tier"], 0.0) + float(one["usd"])
                seen[one["tier"]].in_part |= key in sample and bool(one["asked"])
            for tier, spent in usd.items():
                seen[tier].contents += 1
                seen[tier].usd += [spent] * (key in sample)
    return seen


def forecast(plan: Plan, survey: Survey, seen: Mapping[str, Asked] | None, *, left: int) -> Forecast:
    """Forecast what `left` contents will cost; without a sample by assumptions."""
    dice = np.random.default_rng(SEED)
    tiers_asked = [tier for tier in plan.tiers if not tier.embedded and not tier.sorts]
    answered = survey.with_xml / max(survey.left, 1) if any(tier.embedded for tier in plan.tiers) else 0.0
    reach: Draws = np.full(DRAWS, 1 - answered)  # e-invoices are counted, not guessed: a refused one is rare
    tiers: list[TierForecast] = []
    bills, times = np.zeros(DRAWS), np.zeros(DRAWS)
    before = len(survey.sample)
    top = np.zeros(DRAWS)
    for number, tier in enumerate(tiers_asked):
        asked = None if seen is None else seen[tier.name]
        if number and not blind(tiers_asked[number - 1]):
            up, stay = ASSUMED if asked is None else _counted(len(asked.usd), before)
            reach = reach * dice.beta(up, stay, DRAWS)
        if tier is plan.tiers[-1] and plan.choices.promise is not None:
            reach = _certified(plan.choices.promise, left, dice)
        rows = dice.binomial(left, np.clip(reach, 0, 1)).astype(float)
        if tier is tiers_asked[-1]:
            rows += _asked_again(plan, left)
        in_part = bool(number) and _by_field(plan)
        each = _each(tier, plan, survey, asked, dice, in_part=in_part)
        top = (_each(tier, plan, survey, None, dice) if in_part or (asked and asked.in_part) else each) * left
        bill = rows * each
        seconds = None if asked is None or not asked.usd else rows * asked.busy_s / asked.contents
        bills += bill
        if seconds is not None:
            times = np.maximum(times, seconds)  # tiers work side by side: the slowest sets the pace
        tiers.append(_tier(tier, reach, bill, seconds, measured=bool(asked and asked.usd)))
        before = len(asked.usd) if asked else 0
    return Forecast(
        contents=left,
        sampled=0 if seen is None else len(survey.sample),
        tiers=tuple(tiers),
        usd_p50=_usd(bills, 50),
        usd_p95=_usd(bills, 95),
        seconds_p50=None if seen is None else float(np.percentile(times, 50)),
        seconds_p95=None if seen is None else float(np.percentile(times, 95)),
        top_usd_p50=_usd(top, 50),
        hourly=tuple(
            one.name for one in plan.tiers if one.price.usd_per_hour and not (seen and seen[one.name].contents)
        ),
    )


def _counted(up: int, of: int) -> tuple[float, float]:
    return up + JEFFREYS[0], max(of - up, 0) + JEFFREYS[1]


def _certified(promise: Promise, left: int, dice: np.random.Generator) -> Draws:
    """Draw the share of rows that the top tier of a certified run is asked about: from what is planned to all of them.

    Planned is with nothing known of the batch. All are asked about where there's no certificate, and that happens: a
    promise for each class or field needs more labels than are planned here.
    """
    planned = certificate(ranked_way([default_chances(left)]), Batch(left, left), promise.goal)
    if isinstance(planned, Refusal):
        return np.ones(DRAWS)
    asked = planned.asked[-1]
    likeliest = asked.expected if promise.per is None else left
    drawn: Draws = dice.triangular(min(asked.low, left - 1), likeliest, left, DRAWS) / left
    return drawn


def _asked_again(plan: Plan, left: int) -> int:
    """How many rows the top tier of a certified run is asked about a second time."""
    return 0 if plan.choices.promise is None else min(plan.choices.promise.twice, left)


def _by_field(plan: Plan) -> bool:
    """Whether later tiers are asked for doubtful fields alone; the top tier of a certified run never is."""
    return plan.schema is not None and not plan.choices.whole and plan.choices.promise is None


def _each(
    tier: TierPlan,
    plan: Plan,
    survey: Survey,
    asked: Asked | None,
    dice: np.random.Generator,
    *,
    in_part: bool = False,
) -> Draws:
    """Draw what one content costs at this tier on average: the sample's mean and its error, else by its length."""
    price = (tier.batch_price if tier.batched else None) or tier.price
    if price.usd_per_hour and asked is not None and asked.contents:
        return np.full(DRAWS, float(price.usd_per_hour) * asked.busy_s / HOUR_S / asked.contents)
    if not price.paid:
        return np.zeros(DRAWS)
    if asked is not None and len(asked.usd) > 1:
        paid = np.array(asked.usd)
        return np.maximum(dice.normal(paid.mean(), paid.std(ddof=1) / np.sqrt(len(paid)), DRAWS), 0)
    asking, suffice = survey.asking[tier.name], dice.uniform(*SUFFICE, DRAWS)
    requests = suffice * asking.least.requests + (1 - suffice) * asking.most.requests
    characters = suffice * asking.least.characters + (1 - suffice) * asking.most.characters
    pictures = suffice * asking.least.picture_tokens + (1 - suffice) * asking.most.picture_tokens
    left = max(survey.left, 1)
    texts = request_usd(price.rates[0], plan, characters / left, dice, requests=requests / left, in_part=in_part)
    return texts + pictures / left * float(price.rates[0].input_usd) / 1e6


def request_usd(
    rates: Rates,
    plan: Plan,
    characters: float | Draws,
    dice: np.random.Generator,
    *,
    requests: float | Draws = 1.0,
    in_part: bool = False,
) -> Draws:
    """Draw what it costs, in USD, to show so many characters in so many requests: their tokens aren't known.

    `in_part`: for doubtful fields alone.
    """
    characters = characters + requests * len(plan.task.instructions)
    tokens_in = characters / dice.uniform(*CHARACTERS_PER_TOKEN, DRAWS)
    tokens_out = requests * plan.task.max_tokens * dice.uniform(*REPLY, DRAWS)
    if in_part:
        tokens_in *= dice.uniform(*DOUBTFUL_IN, DRAWS)
        tokens_out *= dice.uniform(*DOUBTFUL_OUT, DRAWS)
    return (tokens_in * float(rates.input_usd) + tokens_out * float(rates.output_usd)) / 1e6


def _tier(tier: TierPlan, reach: Draws, bill: Draws, seconds: Draws | None, *, measured: bool) -> TierForecast:
    low, middle, high = (float(np.percentile(reach, one)) for one in (5, 50, 95))
    return TierForecast(
        tier=tier.name,
        measured=measured,
        share=middle,
        share_interval=(low, high),
        usd_p50=_usd(bill, 50),
        usd_p95=_usd(bill, 95),
        seconds=None if seconds is None else float(np.percentile(seconds, 50)),
        price_source=tier.price_source,
    )


def _usd(draws: Draws, percentile: float) -> Decimal:
    return round(Decimal(float(np.percentile(draws, percentile))), 6)
