"""What one tier alone would have cost, against sums done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from slmbatch.chat import NO_USAGE, Usage
from slmbatch.money.prices import Price, Rates
from slmbatch.report.compare import Comparison, compare
from slmbatch.store.parts import PartStore, part_paths
from slmbatch.store.records import record
from slmbatch.types import Answer, Attempt, Leaf, Result, Status

TOP, SMALL = "openai:large", "openai:small"
PRICE = Price((Rates(Decimal(2), Decimal(8), Decimal(1)),), source="the list of May")
INSTRUCTIONS = 100
CARD = Answer(label="card", score=0.9)


def content(number: int, characters: int, *attempts: Attempt, status: Status = Status.ACCEPTED) -> Result:
    shown = len(attempts) - 1 if attempts else None
    return Result(number.to_bytes(16, "big"), status, attempts, shown, characters=characters)


def tried(tier: str, usage: Usage = NO_USAGE, answer: Answer | None = CARD) -> Attempt:
    return Attempt(tier, answer, usage=usage)


def compared(folder: Path, *parts: Sequence[Result], price: Price = PRICE) -> Comparison:
    """Store each sequence of results as a part and compare."""
    store = PartStore(folder)
    for results in parts:
        for one in results:
            store.settle(record(one))
        store.commit()
    return compare(part_paths(folder), TOP, price, instructions=INSTRUCTIONS)


def test_what_the_tier_answered_counts_with_its_tokens_and_the_rest_at_their_means(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        [
            content(0, 300, tried("head")),
            content(1, 100, tried("head"), tried(TOP, Usage(100, 40, 3))),
            content(2, 500, tried("head"), tried(TOP, Usage(300, 160, 5))),
            content(3, 0, status=Status.UNREADABLE),
        ],
    )
    # Known: 400 in, 200 of them cached, 8 out: 200 x 2 + 200 x 1 + 8 x 8 = 664 millionths.
    # Their prompts have 200 + 600 characters: half a token each, half of it cached, 4 out. The other has 400:
    # 100 x 2 + 100 x 1 + 4 x 8 = 332 millionths.
    assert (found.contents, found.answered) == (3, 2)
    assert found.usd_answered == Decimal("0.000664")
    assert found.usd_estimated == Decimal("0.000332")
    assert found.usd == Decimal("0.000996")
    assert found.price == "the list of May"
    assert "0.500 input tokens per character of prompt and 4.0 output tokens, its own means over 2" in found.assumed
    assert "50% of the input cached" in found.assumed


def test_where_it_answered_nothing_a_smaller_models_tokens_are_taken_but_not_its_cache(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        [content(0, 300, tried("head")), content(1, 100, tried("head"), tried(SMALL, Usage(80, 80, 3)))],
    )
    # 0.4 tokens per character: 160 and 80 in, 3 out each: 240 x 2 + 6 x 8 = 528 millionths.
    assert (found.contents, found.answered, found.usd_answered) == (2, 0, 0)
    assert found.usd == Decimal("0.000528")
    assert "another model's means over 1 texts; 0% of the input cached" in found.assumed


def test_without_any_model_characters_are_counted(tmp_path: Path) -> None:
    fields = (Leaf("total", "12.50", None), Leaf("vat", None, None))
    found = compared(
        tmp_path,
        [content(0, 300, tried("rules", answer=Answer(leaves=fields))), content(1, 500, tried("head"))],
    )
    # Prompts of 400 and 600 characters are 100 and 150 tokens. "total" and "12.50" and 6 are 16 characters, "vat" and
    # null and 6 are 13, "card" is 4: 33 / 2 / 4 = 4.125 tokens each, 8 for both: 250 x 2 + 8 x 8 = 564 millionths.
    assert found.usd == Decimal("0.000564")
    assert "a token for 4 characters" in found.assumed


def test_a_content_that_was_settled_twice_is_asked_once_with_its_later_result(tmp_path: Path) -> None:
    failed = content(1, 100, tried(TOP, Usage(999, 0, 9), None), status=Status.FAILED)
    found = compared(tmp_path, [failed], [content(1, 100, tried(TOP, Usage(100, 0, 3)))])
    assert (found.contents, found.answered) == (1, 1)
    assert found.usd == Decimal("0.000224")  # 100 x 2 + 3 x 8


def test_long_prompts_pay_the_rates_that_they_reach(tmp_path: Path) -> None:
    banded = Price((Rates(Decimal(2), Decimal(8)), Rates(Decimal(4), Decimal(16), above_tokens=200)))
    asked = [content(0, 300, tried(TOP, Usage(200, 0, 3))), content(1, 301, tried(TOP, Usage(201, 0, 3)))]
    found = compared(tmp_path, [*asked, content(2, 900, tried("head"))], price=banded)
    assert found.usd_answered == Decimal("0.000424") + Decimal("0.000852")  # 200 x 2 + 3 x 8, 201 x 4 + 3 x 16
    # 1000 characters at 401 tokens for 801 are 501 tokens: 501 x 4 + 3 x 16 = 2052 millionths.
    assert found.usd_estimated == Decimal("0.002052")
