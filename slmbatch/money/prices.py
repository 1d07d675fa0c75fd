"""Prices of tiers as the configuration states them, and the cost of usage at these prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from slmbatch.types import Usage

MILLION = Decimal(1_000_000)
HOUR_S = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, USD per hour of busy time, and where the figures come from."""

    input_usd: Decimal = Decimal(0)
    cached_input_usd: Decimal | None = None
    output_usd: Decimal = Decimal(0)
    usd_per_hour: Decimal = Decimal(0)
    source: str = "none: local engine, counted as free unless usd_per_hour is set"

    def of_usage(self, usage: Usage) -> Decimal:
        """Return the USD for one request. Cached tokens cost the input price unless they have one of their own."""
        cached_price = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        fresh = usage.input_tokens - usage.cached_tokens
        total = fresh * self.input_usd + usage.cached_tokens * cached_price + usage.output_tokens * self.output_usd
        return total / MILLION

    def of_time(self, busy_s: float) -> Decimal:
        """Return the USD for seconds in which the engine had work."""
        return Decimal(str(round(busy_s, 3))) * self.usd_per_hour / HOUR_S
