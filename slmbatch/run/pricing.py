"""What each tier of a run costs: as the user says, else as its provider lists it. Never nothing by accident."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from slmbatch.engines.loaders import LOCAL, known_engine
from slmbatch.engines.settings import EngineSpec, parse_spec
from slmbatch.errors import ConfigError
from slmbatch.money.list_prices import list_price
from slmbatch.money.prices import PRICE_DECIMALS, UNKNOWN, Price, Rates
from slmbatch.run.config import TierTable


def tier_price(spec: EngineSpec, table: TierTable, given: Mapping[str, Rates]) -> Price:
    """Return the price of a tier: of --price, of its table, by the hour, or its provider's list price of today.

    Raises ConfigError for a price by the token of an engine that has none.
    """
    rates = given.get(str(spec)) or (table.price.rates() if table.price else None)
    hourly = table.usd_per_hour
    if spec.engine in LOCAL:
        if rates is not None:
            raise ConfigError(f"{spec}: is not paid by the token.", "Set usd_per_hour.")
        return (
            Price() if hourly is None else Price((), hourly, "usd_per_hour of the configuration file, times busy time")
        )
    if rates is not None:
        source = "--price" if str(spec) in given or table.price is None else table.price.source
        return Price((rates,), hourly or Decimal(0), source)
    if hourly is not None:
        return Price((), hourly, "usd_per_hour of the configuration file, times busy time")
    provider = None if spec.url else spec.engine
    return list_price(spec.model, provider=provider, url=spec.url, at=dt.datetime.now(dt.UTC)) or UNKNOWN


def batch_price(spec: EngineSpec, table: TierTable, price: Price) -> Price:
    """Return the price of a tier through its provider's batch endpoint; the online `price` where none is known."""
    discount = table.price.batch_discount if table.price else Decimal(0)
    if discount:
        rates = tuple(one.discounted(discount) for one in price.rates)
        return replace(price, rates=rates, source=f"{price.source}, {discount:.0%} off for batches")
    if table.price is not None or not price.listed:
        return replace(price, source=f"{price.source}, no discount for batches given")
    provider = None if spec.url else spec.engine
    found = list_price(spec.model, provider=provider, url=spec.url, at=dt.datetime.now(dt.UTC), batch=True)
    return found or replace(price, source=f"{price.source}, no price for batches listed")


def parse_prices(texts: Sequence[str]) -> dict[str, Rates]:
    """Read `TIER=INPUT/OUTPUT`, USD per million tokens, or `TIER=0`. Raises ConfigError for anything else."""
    prices = {}
    for text in texts:
        tier, _, figures = text.rpartition("=")
        first, _, second = figures.partition("/")
        try:
            rates = [Decimal(one) for one in (first, second or first)]
        except InvalidOperation:
            rates = []
        if not tier or not rates or (not second and rates[0]) or not all(_exact(one) for one in rates):
            raise ConfigError(
                f"--price {text!r}: not TIER=INPUT/OUTPUT in USD per million tokens with at most six decimals.",
                "For example --price openai:gpt-5-mini=0.25/2, or =0 for a server of your own.",
            )
        name = str(known_engine(parse_spec(tier)))
        if name in prices:
            raise ConfigError(f"--price names {name} twice.", "Give one price for each tier.")
        prices[name] = Rates(input_usd=rates[0], output_usd=rates[1])
    return prices


def price_remedy(tier: str) -> str:
    """Say how a tier's price is given."""
    return (
        f"Give --price {tier}=INPUT/OUTPUT in USD per million tokens (=0 for a server of your own), or `price` in the "
        "tier's table of the configuration file."
    )


def _exact(rate: Decimal) -> bool:
    return rate.is_finite() and rate >= 0 and round(rate, PRICE_DECIMALS) == rate
