"""The bill's sums, bases, saving and projection, against sums done by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from slmbatch.money.prices import Price, Rates
from slmbatch.report.bill import compared, itemised, projected
from slmbatch.report.compare import Comparison
from slmbatch.report.costs import TierCost

LISTED = Price((Rates(Decimal(1), Decimal(4)),), source="list price of p/m on 2026-11-25")
HOURLY = Price((), Decimal("0.36"), "usd_per_hour of the configuration file, times busy time")


def costs() -> list[TierCost]:
    local = TierCost("head", "head", "", local=True, price=Price())
    rented = TierCost("openai:a", "openai", "a", local=False, price=HOURLY, busy_s=100.0)
    paid = TierCost("openai:m", "openai", "m", local=False, price=LISTED, requests_in_doubt=2)
    paid.usd_billed, paid.usd_in_doubt = Decimal("0.03"), Decimal("0.001")
    return [local, rented, paid]


def summary(**changes: Any) -> dict[str, Any]:
    tiers = [{"reused": 0, "local": False, "usd_estimated": "0"}]
    return {"rows": 200, "tiers": tiers, "over_budget": [], "bill": itemised(costs(), 200)} | changes


def comparison(usd: str) -> Comparison:
    return Comparison("openai:m", LISTED.source, 190, 40, Decimal("0.02"), Decimal(usd) - Decimal("0.02"), "by guess")


def test_the_bill_adds_up_and_every_figure_says_what_it_rests_on() -> None:
    bill = itemised(costs(), 200)
    # 100 s at 0.36 an hour are 0.01; with 0.03 billed and 0.001 in doubt 0.041; 0.205 for 1,000 of 200 rows.
    usd = {name: Decimal(bill[name]["usd"]) for name in ("billed", "in_doubt", "estimated", "total", "per_1000_rows")}
    assert list(usd.values()) == [Decimal(one) for one in ("0.03", "0.001", "0.01", "0.041", "0.205")]
    assert bill["total"]["basis"] == "billed + in doubt + estimated"
    assert bill["billed"]["basis"] == "billed: tokens that the server reported, at list price of p/m on 2026-11-25"
    assert bill["estimated"]["basis"] == "estimated (busy time), at 0.36 USD per hour"
    assert "2 requests" in bill["in_doubt"]["basis"]


def test_the_saving_is_what_the_tier_alone_costs_less_what_was_spent() -> None:
    bill = compared(summary(), comparison("0.164"))["bill"]
    assert Decimal(bill["all_to"]["usd"]) == Decimal("0.164")
    assert Decimal(bill["saving"]["usd"]) == Decimal("0.123")
    assert bill["saving"]["percent"] == "75.0"
    assert "190 texts asked once each" in bill["all_to"]["basis"]
    assert "150 estimated: by guess" in bill["all_to"]["basis"]


def test_a_cascade_that_costs_more_than_its_top_tier_says_so() -> None:
    saving = compared(summary(), comparison("0.04"))["bill"]["saving"]
    assert (Decimal(saving["usd"]), saving["percent"]) == (Decimal("-0.001"), "-2.5")


def test_what_only_the_comparison_holds_is_said_beside_the_saving() -> None:
    tiers = [{"reused": 3, "local": True, "usd_estimated": "0"}]
    changed = summary(tiers=tiers, over_budget=[{"rows": 7}])
    basis = compared(changed, comparison("0.164"))["bill"]["saving"]["basis"]
    assert "7 rows that the budget kept waiting" in basis
    assert "3 answers came from the ledger" in basis
    assert "without usd_per_hour" in basis
    assert compared(summary(), comparison("1"))["bill"]["saving"]["basis"] == "estimated: the comparison less the total"


def test_a_months_volume_scales_every_figure_and_a_year_has_twelve() -> None:
    projection = projected(compared(summary(), comparison("0.164")), 30_000)["bill"]["projection"]
    spans = {
        name: [Decimal(projection[name][span]["usd"]) for span in ("month", "year")]
        for name in projection
        if name != "volume"
    }
    # 150 times as many rows: 0.041, 0.164 and 0.123 times 150, and times 12.
    assert spans == {
        "total": [Decimal("6.15"), Decimal("73.8")],
        "all_to": [Decimal("24.6"), Decimal("295.2")],
        "saving": [Decimal("18.45"), Decimal("221.4")],
    }
    assert projection["total"]["month"]["basis"].startswith("estimated: ")


def test_a_run_without_rows_or_paid_tiers_has_a_bill_of_nothing() -> None:
    bill = itemised([TierCost("head", "head", "", local=True, price=Price())], 0)
    assert Decimal(bill["total"]["usd"]) == 0
    assert bill["total"]["basis"] == "nothing was spent"
    assert (bill["per_1000_rows"], bill["all_to"], bill["saving"]) == (None, None, None)
    assert projected({"rows": 0, "bill": bill}, 1000)["bill"]["projection"] is None
