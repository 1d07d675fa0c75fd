"""The configuration file and what flags do to it."""

from decimal import Decimal
from pathlib import Path

import pytest

from slmbatch.errors import ConfigError
from slmbatch.run.config import ENGINES_OF, TierTable, load_config
from slmbatch.run.plan import plan_tiers

EXAMPLE = """
model = "llamacpp:smollm2-135m"
escalate = ["openai:m@http://127.0.0.1:1/v1"]
threshold = 0.7
[tier."openai:m@http://127.0.0.1:1/v1"]
timeout_s = 9
price = {input = "0.25", output = 2}
[tier."llamacpp:smollm2-135m"]
usd_per_hour = "0.40"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "slmbatch.toml"
    path.write_text(text)
    return path


def test_tiers_take_their_limits_and_prices_from_their_table(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, EXAMPLE))
    first, second = plan_tiers(None, (), config, default="head")
    assert first.price.usd_per_hour == Decimal("0.40")
    assert second.settings.timeout_s == 9
    assert second.price.rates[0].output_usd == 2
    assert second.price.source == "configuration file"


def test_flags_win_over_the_file_and_keep_a_named_tiers_table(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, EXAMPLE))
    (only_first, other) = plan_tiers("openai:m@http://127.0.0.1:1/v1", ("openai:z",), config, default="head")
    assert only_first.settings.timeout_s == 9
    assert other.name == "openai:z"
    assert not other.price.known


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("thresold = 0.5", "unknown key thresold", "Did you mean threshold?"),
        ('[tier."openai:m"]\ntimeout = 3', "unknown key tier.openai:m.timeout", "Did you mean timeout_s?"),
        ('[tier."opnai:m"]', "unknown engine 'opnai'", "Did you mean openai:m?"),
        ("threshold = 2", "threshold", "Correct the value."),
        ("threshold = ", "not valid TOML", "Correct the file."),
        pytest.param("threshold = " + "[" * 20_000, "not valid TOML", "Correct the file.", id="nested without end"),
        ('[tier."openai:m"]\nprice = {input = -1, output = 1}', "price.input", "Correct the value."),
    ],
)
def test_a_wrong_file_is_refused_with_the_nearest_right_thing(
    tmp_path: Path, text: str, message: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_tier_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="named twice"):
        plan_tiers("openai:m", ("openai:m",), load_config(None), default="head")


@pytest.mark.parametrize("spec", ["openai", ":m", "openai:", "m"])
def test_a_tier_that_is_no_engine_and_model_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="is not ENGINE:MODEL"):
        plan_tiers(spec, (), load_config(None), default="head")


def test_a_known_model_has_its_providers_price_whichever_engine_asks_it() -> None:
    named = ["anthropic:claude-haiku-4-5", "openai:gpt-5-mini", "openai:mistral-small-2603@https://api.mistral.ai/v1"]
    _, *tiers = plan_tiers(None, named, load_config(None), default="head")
    for tier, provider in zip(tiers, ("anthropic", "openai", "mistral"), strict=True):
        assert tier.price.known
        assert f"list price of {provider}/" in tier.price.source


def test_what_a_model_takes_is_overridden_by_its_table(tmp_path: Path) -> None:
    config = load_config(
        written(
            tmp_path,
            """
            [tier."openai:gpt-5-mini"]
            requests_per_minute = 500
            tokens_per_minute = 200000
            structure = "object"
            max_tokens_field = "max_tokens"
            temperature = true
            seed = true
            reasoning_tokens = 512
            effort = "low"
            """,
        )
    )
    settings = plan_tiers("openai:gpt-5-mini", (), config, default="head")[0].settings
    assert (settings.requests_per_minute, settings.tokens_per_minute) == (500, 200_000)
    assert (settings.structure, settings.max_tokens_field) == ("object", "max_tokens")
    assert (settings.temperature, settings.seed, settings.reasoning_tokens) == (True, True, 512)
    assert settings.effort == "low"


@pytest.mark.parametrize("line", ["requests_per_minute = 0", 'structure = "xml"', "reasoning_tokens = -1"])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=line.partition(" ")[0]):
        load_config(written(tmp_path, f'[tier."openai:gpt-5-mini"]\n{line}\n'))


@pytest.mark.parametrize(
    ("tier", "line", "takers"),
    [
        ("openai:m", "slots = 4", "llamacpp and vllm"),
        ("llamacpp:m", 'effort = "low"', "anthropic and openai and vllm"),
        ("head", "timeout_s = 3", "anthropic and llamacpp and openai and vllm"),
        ("rules", 'embeddings = "e5"', "head"),
        ("vllm:m", "batch = true", "anthropic and openai"),
    ],
)
def test_a_key_that_means_nothing_to_an_engine_is_refused(tmp_path: Path, tier: str, line: str, takers: str) -> None:
    with pytest.raises(ConfigError, match=f"{line.partition(' ')[0]} means nothing to") as caught:
        load_config(written(tmp_path, f'[tier."{tier}"]\n{line}\n'))
    assert takers in caught.value.remedy


def test_every_key_of_a_tier_is_either_for_all_engines_or_says_for_which() -> None:
    assert set(ENGINES_OF) | {"usd_per_hour", "price"} == set(TierTable.model_fields)
