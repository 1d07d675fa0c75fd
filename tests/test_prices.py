"""Money, against sums done by hand."""

from decimal import Decimal

from slmbatch.money.prices import Price
from slmbatch.types import Usage


def test_cached_tokens_have_their_own_price() -> None:
    price = Price(Decimal("0.25"), Decimal("0.025"), Decimal("2.00"))
    usage = Usage(input_tokens=1000, cached_tokens=800, output_tokens=3)
    # 200 x 0.25 + 800 x 0.025 + 3 x 2.00 = 50 + 20 + 6 = 76 millionths
    assert price.of_usage(usage) == Decimal("0.000076")


def test_cached_tokens_without_a_price_cost_the_full_one() -> None:
    assert Price(Decimal(1)).of_usage(Usage(input_tokens=10, cached_tokens=10)) == Decimal("0.00001")


def test_busy_time_is_paid_by_the_hour() -> None:
    assert Price(usd_per_hour=Decimal("3.60")).of_time(90) == Decimal("0.09")


def test_a_local_engine_is_free_unless_said_otherwise() -> None:
    assert Price().of_usage(Usage(10, 0, 10)) == 0
    assert Price().of_time(3600) == 0
