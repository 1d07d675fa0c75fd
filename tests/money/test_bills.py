"""Bills of providers, added up again by hand: bodies as they publish them, prices as genai-prices lists them.

The prices that the sums are done with stand in each test, and are checked against the list. So a change of the list
shows as a changed price and not as a wrong sum.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from slmbatch.chat import Usage
from slmbatch.engines.capabilities import Model
from slmbatch.engines.dialects import COMPATIBLE, OPENAI, Dialect, MessagesDialect
from slmbatch.errors import Refused
from slmbatch.money.list_prices import list_price
from slmbatch.money.prices import Price, Rates

TODAY = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
MESSAGES = MessagesDialect(Model())
MILLIONTHS = Decimal(1_000_000)


def listed(model: str, *, provider: str | None = None, url: str | None = None, batch: bool = False) -> Price:
    price = list_price(model, provider=provider, url=url, at=TODAY, batch=batch)
    assert price is not None
    return price


def first(price: Price) -> Rates:
    return price.rates[0]


def counted(dialect: Dialect, usage: dict[str, Any], **message: Any) -> Usage:
    """The usage of a chat completion with these counts."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "{}"} | message, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return dialect.decode(json.dumps(body).encode()).usage


OPENAI_USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 256,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def test_openai_counts_cached_input_and_reasoning_within_its_sums() -> None:
    usage = counted(OPENAI, OPENAI_USAGE)
    assert usage == Usage(2006, 1920, 300, reasoning_tokens=256)
    price = listed("gpt-5-mini", provider="openai")
    assert first(price) == Rates(Decimal("0.25"), Decimal(2), Decimal("0.025"))
    # 86 x 0.25 + 1920 x 0.025 + 300 x 2 = 21.5 + 48 + 600
    assert price.of_usage(usage) == Decimal("669.5") / MILLIONTHS


def test_openais_batch_costs_half() -> None:
    usage = counted(OPENAI, OPENAI_USAGE)
    price = listed("gpt-5-mini", provider="openai", batch=True)
    assert first(price) == Rates(Decimal("0.125"), Decimal(1), Decimal("0.0125"))
    # 86 x 0.125 + 1920 x 0.0125 + 300 x 1 = 10.75 + 24 + 300
    assert price.of_usage(usage) == Decimal("334.75") / MILLIONTHS


ANTHROPIC_USAGE = {
    "input_tokens": 50,
    "cache_creation_input_tokens": 1200,
    "cache_read_input_tokens": 3000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1200, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 400,
    "output_tokens_details": {"thinking_tokens": 350},
    "service_tier": "standard",
}


def message(usage: dict[str, Any], *, stop: str = "end_turn") -> bytes:
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    return json.dumps(
        body | {"content": [{"type": "text", "text": "{}"}], "stop_reason": stop, "usage": usage}
    ).encode()


def test_anthropic_counts_what_its_cache_read_and_wrote_beside_the_input() -> None:
    usage = MESSAGES.decode(message(ANTHROPIC_USAGE)).usage
    assert usage == Usage(4250, 3000, 400, 1200, 350)
    price = listed("claude-haiku-4-5", provider="anthropic")
    assert first(price) == Rates(Decimal(1), Decimal(5), Decimal("0.1"), Decimal("1.25"))
    # 50 x 1 + 3000 x 0.1 + 1200 x 1.25 + 400 x 5 = 50 + 300 + 1500 + 2000
    assert price.of_usage(usage) == Decimal(3850) / MILLIONTHS


def test_anthropics_batch_costs_half_with_its_cache() -> None:
    usage = MESSAGES.decode(message(ANTHROPIC_USAGE | {"service_tier": "batch"})).usage
    price = listed("claude-haiku-4-5", provider="anthropic", batch=True)
    # 50 x 0.5 + 3000 x 0.05 + 1200 x 0.625 + 400 x 2.5 = 25 + 150 + 750 + 1000
    assert price.of_usage(usage) == Decimal(1925) / MILLIONTHS


def test_what_a_refusal_cost_is_told() -> None:
    price = listed("claude-haiku-4-5", provider="anthropic")
    with pytest.raises(Refused) as caught:
        MESSAGES.decode(message({"input_tokens": 1000, "output_tokens": 2}, stop="refusal"))
    assert price.of_usage(caught.value.billed) == Decimal(1010) / MILLIONTHS
    filtered = {"message": {"role": "assistant", "content": "The"}, "finish_reason": "content_filter"}
    declined = {"message": {"role": "assistant", "content": None, "refusal": "I can't."}, "finish_reason": "stop"}
    for choice in (filtered, declined):
        with pytest.raises(Refused) as caught:
            OPENAI.decode(json.dumps({"choices": [choice], "usage": OPENAI_USAGE}).encode())
        assert caught.value.billed == Usage(2006, 1920, 300, reasoning_tokens=256)


def test_deepseek_names_its_cache_hits_differently() -> None:
    usage = counted(
        COMPATIBLE,
        {
            "prompt_tokens": 1000,
            "completion_tokens": 120,
            "total_tokens": 1120,
            "prompt_cache_hit_tokens": 640,
            "prompt_cache_miss_tokens": 360,
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        reasoning_content="Hm.",
    )
    assert usage == Usage(1000, 640, 120, reasoning_tokens=100)
    price = listed("deepseek-chat", url="https://api.deepseek.com")
    assert first(price) == Rates(Decimal("0.27"), Decimal("1.1"), Decimal("0.07"))
    # 360 x 0.27 + 640 x 0.07 + 120 x 1.1 = 97.2 + 44.8 + 132
    assert price.of_usage(usage) == Decimal(274) / MILLIONTHS


def test_gemini_leaves_thoughts_out_of_the_completion_and_in_the_total() -> None:
    usage = counted(COMPATIBLE, {"prompt_tokens": 758, "completion_tokens": 102, "total_tokens": 1725})
    assert usage == Usage(758, 0, 967, reasoning_tokens=865)
    price = listed("gemini-2.5-flash", url="https://generativelanguage.googleapis.com/v1beta/openai")
    assert first(price) == Rates(Decimal("0.3"), Decimal("2.5"), Decimal("0.03"))
    # 758 x 0.3 + 967 x 2.5 = 227.4 + 2417.5
    assert price.of_usage(usage) == Decimal("2644.9") / MILLIONTHS
    assert first(listed("gemini-2.5-flash", provider="google", batch=True)).output_usd == Decimal("1.25")


XAI_USAGE = {
    "prompt_tokens": 300,
    "completion_tokens": 50,
    "total_tokens": 550,
    "prompt_tokens_details": {"text_tokens": 300, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 256},
    "completion_tokens_details": {
        "reasoning_tokens": 200,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def test_xai_counts_reasoning_beside_the_completion() -> None:
    usage = counted(COMPATIBLE, XAI_USAGE)
    assert usage == Usage(300, 256, 250, reasoning_tokens=200)
    price = listed("grok-3-mini", url="https://api.x.ai/v1")
    assert first(price) == Rates(Decimal("0.3"), Decimal("0.5"), Decimal("0.075"))
    # 44 x 0.3 + 256 x 0.075 + 250 x 0.5 = 13.2 + 19.2 + 125
    assert price.of_usage(usage) == Decimal("157.4") / MILLIONTHS


def test_a_relay_that_counts_xais_reasoning_within_the_completion_is_not_charged_twice() -> None:
    usage = counted(COMPATIBLE, XAI_USAGE | {"completion_tokens": 250})
    assert usage == Usage(300, 256, 250, reasoning_tokens=200)


def test_mistral_counts_like_openai() -> None:
    usage = counted(
        COMPATIBLE,
        {
            "prompt_tokens": 400,
            "completion_tokens": 20,
            "total_tokens": 420,
            "prompt_tokens_details": {"cached_tokens": 384},
        },
    )
    assert usage == Usage(400, 384, 20)
    price = listed("mistral-small-2603", url="https://api.mistral.ai/v1")
    assert first(price) == Rates(Decimal("0.15"), Decimal("0.6"), Decimal("0.015"))
    # 16 x 0.15 + 384 x 0.015 + 20 x 0.6 = 2.4 + 5.76 + 12
    assert price.of_usage(usage) == Decimal("20.16") / MILLIONTHS
    batch = listed("mistral-small-2603", url="https://api.mistral.ai/v1", batch=True)
    assert batch.of_usage(usage) == Decimal("10.08") / MILLIONTHS


def test_groq_counts_reasoning_within_the_completion() -> None:
    usage = counted(
        COMPATIBLE,
        {
            "queue_time": 0.03,
            "prompt_tokens": 400,
            "prompt_time": 0.01,
            "completion_tokens": 120,
            "completion_time": 0.1,
            "total_tokens": 520,
            "total_time": 0.11,
            "prompt_tokens_details": {"cached_tokens": 256},
            "completion_tokens_details": {"reasoning_tokens": 90},
        },
    )
    assert usage == Usage(400, 256, 120, reasoning_tokens=90)
    price = listed("openai/gpt-oss-20b", url="https://api.groq.com/openai/v1")
    # 144 x 0.075 + 256 x 0.0375 + 120 x 0.3 = 10.8 + 9.6 + 36
    assert price.of_usage(usage) == Decimal("56.4") / MILLIONTHS


def test_a_prompt_over_a_providers_threshold_is_charged_at_the_higher_price() -> None:
    price = listed("claude-haiku-5-5", provider="anthropic")
    usage = MESSAGES.decode(
        message({"input_tokens": 1000, "cache_read_input_tokens": 99_001, "output_tokens": 10})
    ).usage
    # 100,001 tokens of input in all: 1000 x 0.5 + 99001 x 0.05 + 10 x 2.5 = 500 + 4950.05 + 25
    assert price.of_usage(usage) == Decimal("5475.05") / MILLIONTHS
