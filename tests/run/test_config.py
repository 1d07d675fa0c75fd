"""The configuration file and what flags do to it."""

from decimal import Decimal
from pathlib import Path

import pytest

from slmbatch.errors import ConfigError
from slmbatch.run.config import load_config
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
