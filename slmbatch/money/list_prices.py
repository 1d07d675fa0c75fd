"""What providers charge, as the package genai-prices lists it: found once, when a run is planned, and dated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version

from slmbatch.money.prices import PRICE_DECIMALS, Price, Rates

TOKENS = {
    "input_usd": "input_mtok",
    "output_usd": "output_mtok",
    "cached_input_usd": "cache_read_mtok",
    "cache_write_usd": "cache_write_mtok",
}
UNCOUNTED = ("requests_kcount", "output_reasoning_mtok", "input_mchars", "input_text_messages_kcount")


def list_price(
    model: str, *, provider: str | None, url: str | None, at: dt.datetime, batch: bool = False
) -> Price | None:
    """Return the list price of a model at a provider, given by its name or its API's address; None where there's none.

    `batch`: as asked through the provider's batch endpoint; None too where that has no price of its own. Prices that
    depend on the hour are those of `at`.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        found, info = get_snapshot().find_provider_model(model, None, provider, None if provider else url)
    except LookupError:
        return None
    listed = info.get_prices(at)
    if batch:
        discounted = info.get_prices(at, {"processing": "batch"})
        if discounted == listed:
            return None
        listed = discounted
    if listed.input_mtok is None or any(getattr(listed, name, None) for name in UNCOUNTED):
        return None  # it's charged by something else than tokens
    kind = "batch price" if batch else "list price"
    source = f"{kind} of {found.id}/{info.id} on {at:%Y-%m-%d}, as genai-prices {version('genai-prices')} has it"
    return Price(tuple(_rates(listed)), source=source, listed=True)


def _rates(listed: object) -> Iterator[Rates]:
    """Lay prices that change at a number of input tokens side by side."""
    prices = {ours: getattr(listed, theirs) for ours, theirs in TOKENS.items()}
    starts = {tier.start for price in prices.values() for tier in getattr(price, "tiers", ())}
    for start in sorted({0, *starts}):
        at = {ours: _at(price, start) for ours, price in prices.items()}
        yield Rates(
            input_usd=at["input_usd"] or Decimal(0),
            output_usd=at["output_usd"] or Decimal(0),
            cached_input_usd=at["cached_input_usd"],
            cache_write_usd=at["cache_write_usd"],
            above_tokens=start,
        )


def _at(price: object, start: int) -> Decimal | None:
    """Return the price above so many input tokens, without the noise of binary fractions that some lists hold."""
    if price is None:
        return None
    tiers = getattr(price, "tiers", ())
    reached = [tier.price for tier in tiers if tier.start <= start]
    chosen = reached[-1] if reached else getattr(price, "base", price)
    assert isinstance(chosen, Decimal)
    return round(chosen, PRICE_DECIMALS)
