"""Money, against sums done by hand and against the package that the list prices come from."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from slmbatch.chat import Usage
from slmbatch.money.list_prices import list_price
from slmbatch.money.prices import Price, Rates, from_pico, to_pico

TODAY = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def test_cached_tokens_have_their_own_price() -> None:
    price = Price((Rates(Decimal("0.25"), Decimal("2.00"), Decimal("0.025")),))
    usage = Usage(input_tokens=1000, cached_tokens=800, output_tokens=3)
    # 200 x 0.25 + 800 x 0.025 + 3 x 2.00 = 50 + 20 + 6 = 76 millionths
    assert price.of_usage(usage) == Decimal("0.000076")


def test_tokens_written_to_the_cache_have_their_own_price() -> None:
    price = Price((Rates(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75")),))
    usage = Usage(input_tokens=3000, cached_tokens=1000, output_tokens=100, cache_write_tokens=1500)
    # 500 x 3 + 1000 x 0.3 + 1500 x 3.75 + 100 x 15 = 1500 + 300 + 5625 + 1500 = 8925 millionths
    assert price.of_usage(usage) == Decimal("0.008925")


def test_cached_tokens_without_a_price_cost_the_full_one() -> None:
    assert Price((Rates(Decimal(1)),)).of_usage(Usage(input_tokens=10, cached_tokens=10)) == Decimal("0.00001")


def test_long_prompts_cost_more_for_all_their_tokens() -> None:
    price = Price((Rates(Decimal(1), Decimal(4)), Rates(Decimal(2), Decimal(6), above_tokens=200_000)))
    assert price.of_usage(Usage(200_000, 0, 10)) == Decimal("0.20004")
    assert price.of_usage(Usage(200_001, 0, 10)) == Decimal("0.400062")


def test_the_worst_case_is_never_less_than_what_a_request_costs() -> None:
    rates = Rates(Decimal(1), Decimal(4), Decimal("0.1"), Decimal("1.25"))
    price = Price((rates, Rates(Decimal(2), Decimal(6), above_tokens=1000)))
    for tokens in (1, 999, 1000, 1001, 5000):
        worst = price.worst(input_tokens=tokens, output_tokens=50)
        for usage in (Usage(tokens, 0, 50), Usage(tokens, tokens, 50), Usage(tokens, 0, 50, cache_write_tokens=tokens)):
            assert price.of_usage(usage) <= worst


def test_busy_time_is_paid_by_the_hour() -> None:
    assert Price(usd_per_hour=Decimal("3.60")).of_time(90) == Decimal("0.09")


def test_a_local_engine_is_free_unless_said_otherwise() -> None:
    assert Price().of_usage(Usage(10, 0, 10)) == 0
    assert Price().of_time(3600) == 0
    assert not Price().paid


def test_amounts_survive_the_ledgers_whole_numbers() -> None:
    amount = Decimal("0.000076000001")
    assert from_pico(to_pico(amount)) == amount
    assert to_pico(Decimal("0.0000000000001")) == 1  # never less than it was


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("anthropic", "claude-haiku-4-5"),
        ("google", "gemini-2.5-pro"),
        ("mistral", "mistral-small-latest"),
        ("deepseek", "deepseek-chat"),
        ("openai", "gpt-4.1"),
    ],
)
def test_a_list_price_costs_what_genai_prices_says(provider: str, model: str, batch: bool) -> None:
    price = list_price(model, provider=provider, url=None, at=TODAY, batch=batch)
    if price is None:
        assert batch, "there is an online price"
        return
    assert provider in price.source
    assert "2026-11-20" in price.source
    for tokens in (100, 150_000, 400_000):
        usage = Usage(tokens, tokens // 2, 77)
        expected = calc_price(
            ListedUsage(input_tokens=tokens, cache_read_tokens=tokens // 2, output_tokens=77),
            model,
            provider_id=provider,
            genai_request_timestamp=TODAY,
            price_context={"processing": "batch"} if batch else None,
        )
        assert price.of_usage(usage) == expected.total_price


def test_a_batch_is_cheaper_where_the_provider_lists_it() -> None:
    online = list_price("gpt-5-mini", provider="openai", url=None, at=TODAY)
    batch = list_price("gpt-5-mini", provider="openai", url=None, at=TODAY, batch=True)
    assert online is not None
    assert batch is not None
    assert 2 * batch.of_usage(Usage(1000, 0, 100)) == online.of_usage(Usage(1000, 0, 100))


def test_a_providers_address_finds_its_prices_and_an_unknown_one_none() -> None:
    found = list_price("mistral-small-latest", provider=None, url="https://api.mistral.ai/v1", at=TODAY)
    assert found is not None
    assert found.paid
    assert list_price("m", provider=None, url="http://127.0.0.1:8000/v1", at=TODAY) is None
    assert list_price("no-such-model-9000", provider="openai", url=None, at=TODAY) is None
