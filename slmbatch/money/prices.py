"""Prices of tiers, and what usage costs at these prices. Amounts are whole numbers of 1e-12 USD, so sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from slmbatch.chat import Usage

MILLION = Decimal(1_000_000)
HOUR_S = Decimal(3600)
PRICE_DECIMALS = 6  # of USD per million tokens: so a token's price is exact in 1e-12 USD
PICO = Decimal(1).scaleb(-12)
FREE = "none: local engine, counted as free unless usd_per_hour is set"


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens, for requests of more than `above_tokens` input tokens.

    Without a price of their own, cached tokens and tokens written to the cache cost what other input costs.
    """

    input_usd: Decimal = Decimal(0)
    output_usd: Decimal = Decimal(0)
    cached_input_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None
    above_tokens: int = 0

    def usd(self, usage: Usage) -> Decimal:
        """Return the USD for one request."""
        cached = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        written = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        fresh = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        total = fresh * self.input_usd + usage.cached_tokens * cached + usage.cache_write_tokens * written
        return (total + usage.output_tokens * self.output_usd) / MILLION

    def discounted(self, share: Decimal) -> Rates:
        """Return these rates with a share taken off, rounded up to what prices are kept with."""
        left = [None if one is None else _rounded(one * (1 - share)) for one in self._usd()]
        return Rates(left[0] or Decimal(0), left[1] or Decimal(0), left[2], left[3], self.above_tokens)

    def _usd(self) -> tuple[Decimal | None, ...]:
        return self.input_usd, self.output_usd, self.cached_input_usd, self.cache_write_usd

    def most_usd(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the most that a request with so many tokens can cost, whatever the provider's cache does."""
        dearest = max(self.input_usd, self.cached_input_usd or 0, self.cache_write_usd or 0)
        return (input_tokens * dearest + output_tokens * self.output_usd) / MILLION


@dataclass(frozen=True, slots=True)
class Price:
    """What a tier costs: by tokens, by busy time, or nothing; and where the figures come from.

    `rates` are in the order of `above_tokens`, which is 0 for the first; all tokens of a request cost what the last
    rates that it reaches say. A price that isn't `known` stops a run before it starts; one that is `listed` is the
    provider's.
    """

    rates: tuple[Rates, ...] = ()
    usd_per_hour: Decimal = Decimal(0)
    source: str = FREE
    known: bool = True
    listed: bool = False

    @property
    def paid(self) -> bool:
        """Whether requests cost money one by one."""
        return any(one.input_usd or one.output_usd for one in self.rates)

    @property
    def described(self) -> str:
        """The source with its figures: where a price depends on the length of the request, those of short ones."""
        if not self.paid:
            return self.source
        first = self.rates[0]
        return (
            f"{self.source} ({first.input_usd.normalize():f}/{first.output_usd.normalize():f} USD per million in/out)"
        )

    def of_usage(self, usage: Usage) -> Decimal:
        """Return the USD for one request."""
        reached = [one for one in self.rates if not one.above_tokens or usage.input_tokens > one.above_tokens]
        return reached[-1].usd(usage) if reached else Decimal(0)

    def worst(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the most that a request with at most so many tokens can cost."""
        reached = [one for one in self.rates if not one.above_tokens or input_tokens > one.above_tokens]
        return max((one.most_usd(input_tokens, output_tokens) for one in reached), default=Decimal(0))

    def of_time(self, busy_s: float) -> Decimal:
        """Return the USD for seconds in which the engine had work."""
        return Decimal(str(round(busy_s, 3))) * self.usd_per_hour / HOUR_S


UNKNOWN = Price(source="unknown", known=False)


def _rounded(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal(1).scaleb(-PRICE_DECIMALS), ROUND_CEILING)


def to_pico(usd: Decimal) -> int:
    """Return the amount in 1e-12 USD, rounded up where a price was finer than that."""
    return int((usd / PICO).to_integral_value(ROUND_CEILING))


def from_pico(amount: int) -> Decimal:
    """Return 1e-12 USD as USD."""
    return Decimal(amount).scaleb(-12)
