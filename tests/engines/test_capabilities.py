"""What models take: the shipped table, the configuration file over it, and the requests that come of both."""

from __future__ import annotations

import asyncio
import datetime as dt
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slmbatch.chat import Completion, JsonShape, Message, Request
from slmbatch.engines.capabilities import Model, model_of, provider_of
from slmbatch.engines.remote import RemoteEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.errors import ConfigError
from slmbatch.money.list_prices import list_price
from tests.harness import Reply, Scripted, completion

TABLE = Path(__file__).parents[2] / "slmbatch" / "engines" / "capabilities.toml"
PLAIN = EngineSettings()
SHAPE = JsonShape("label", '{"type":"object","properties":{"label":{"type":"string","maxLength":40}}}')
MESSAGES = (Message("system", "Sort."), Message("user", "Text: hello"))


def known(spec: str, **said: Any) -> Model:
    return model_of(parse_spec(spec), EngineSettings(**said))


def ask(model: str, settings: EngineSettings = PLAIN) -> Completion:
    """Ask one question the way a tier does."""

    async def work() -> Completion:
        engine = RemoteEngine(parse_spec(model), settings)
        await engine.start()
        try:
            return await engine.complete(Request(MESSAGES, SHAPE, 20, engine.capabilities.top_logprobs))
        finally:
            await engine.close()

    return asyncio.run(work())


def test_the_table_says_when_it_was_checked_and_against_which_pages() -> None:
    table = tomllib.loads(TABLE.read_text())
    assert isinstance(table.pop("checked"), dt.date)
    del table["compatible"], table["vllm"]  # servers of unknown kind, and of one's own
    for name, provider in table.items():
        assert all(source.startswith("https://") for source in provider["sources"]), name
        assert provider["key_env"].endswith("_API_KEY"), name


def test_every_row_of_the_table_can_be_read() -> None:
    for name, provider in tomllib.loads(TABLE.read_text()).items():
        if isinstance(provider, dict) and "url" in provider:
            for row in ("", *provider.get("models", {}), *provider.get("unreasoned", {})):
                engine = "anthropic" if name == "anthropic" else "openai"
                spec = replace(parse_spec(f"{engine}:{row}x"), url=provider["url"] + "/v1")
                assert provider_of(spec).name == name
                assert model_of(spec, EngineSettings(effort="none")).structure in {"schema", "object", "tool"}


def test_providers_have_the_names_of_the_list_prices() -> None:
    now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    for spec in ("openai:gpt-5-mini", "anthropic:claude-haiku-4-5"):
        parsed = parse_spec(spec)
        assert list_price(parsed.model, provider=provider_of(parsed).name, url=None, at=now) is not None


@pytest.mark.parametrize(
    ("spec", "temperature", "top", "structure", "room"),
    [
        ("openai:gpt-4.1-mini", True, 20, "schema", 0),
        ("openai:gpt-4-turbo", True, 20, "object", 0),
        ("openai:o4-mini", False, 0, "schema", 8192),
        ("openai:gpt-5-mini", False, 0, "schema", 8192),
        ("openai:gpt-5-chat-latest", True, 20, "schema", 0),
        ("openai:gpt-6-luna", False, 0, "schema", 8192),
        ("openai:gpt-5-mini@https://api.openai.com/v1", False, 0, "schema", 8192),
        ("openai:m@http://127.0.0.1:8000/v1", True, 20, "schema", 0),
        ("openai:gpt-5-mini@https://api.openai.com.example.org/v1", True, 20, "schema", 0),
        ("openai:deepseek-chat@https://api.deepseek.com", True, 20, "object", 0),
        ("openai:deepseek-flash@https://api.deepseek.com", False, 0, "object", 8192),
        ("openai:openai/gpt-oss-20b@https://api.groq.com/openai/v1", True, 0, "schema", 8192),
        ("openai:mistral-small-2603@https://api.mistral.ai/v1", True, 0, "schema", 0),
        ("anthropic:claude-3-5-haiku-latest", True, 0, "tool", 0),
        ("anthropic:claude-sonnet-4-20250514", True, 0, "tool", 0),
        ("anthropic:claude-haiku-4-5-20251001", True, 0, "schema", 0),
        ("anthropic:claude-opus-4-7", False, 0, "schema", 0),
        ("anthropic:claude-haiku-5-5", False, 0, "schema", 8192),
        ("anthropic:claude-opus-5-5@https://proxy.example.org/v1", False, 0, "schema", 8192),
    ],
)
def test_models_are_known_by_the_beginning_of_their_names(
    spec: str, temperature: bool, top: int, structure: str, room: int
) -> None:
    found = known(spec)
    assert (found.temperature, found.top_logprobs, found.structure, found.reasoning_tokens) == (
        temperature,
        top,
        structure,
        room,
    )


def test_a_model_that_is_told_not_to_reason_takes_what_others_take() -> None:
    found = known("openai:gpt-6-luna", effort="none")
    assert (found.temperature, found.top_logprobs, found.reasoning_tokens) == (True, 20, 0)
    assert known("openai:gpt-6-luna", effort="low").top_logprobs == 0
    assert known("openai:gpt-5-mini", effort="none").top_logprobs == 0  # it knows no such effort


def test_the_configuration_file_has_the_last_word() -> None:
    said: dict[str, Any] = {"temperature": True, "seed": True, "top_logprobs": 5, "reasoning_tokens": 100}
    found = known("openai:gpt-5-mini", **said, structure="object", max_tokens_field="max_tokens", context_tokens=9000)
    assert {key: getattr(found, key) for key in said} == said
    assert (found.structure, found.max_tokens_field, found.context_tokens) == ("object", "max_tokens", 9000)


def test_each_known_provider_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="MISTRAL_API_KEY is not set"):
        RemoteEngine(parse_spec("openai:mistral-small-2603@https://api.mistral.ai/v1"), PLAIN)


REASONING = EngineSettings(temperature=False, seed=False, top_logprobs=0, reasoning_tokens=5000)


def test_a_reasoning_model_is_asked_without_what_it_refuses_and_with_room(scripted: Callable[..., Scripted]) -> None:
    def by_the_book(asked: Any) -> Reply:
        refused = {"temperature", "seed", "logprobs", "top_logprobs", "max_tokens"} & set(asked.body)
        if refused:
            return Reply(
                400, f'{{"error":{{"message":"Unsupported parameter: {refused}","type":"invalid_request_error"}}}}'
            )
        return completion('{"label":"a"}')

    server = scripted(by=by_the_book)
    settings = replace(REASONING, max_tokens_field="max_completion_tokens", effort="low")
    assert ask(server.model, settings).text == '{"label":"a"}'
    (asked,) = server.asked
    assert asked.body["max_completion_tokens"] == 5020
    assert asked.body["reasoning_effort"] == "low"


def test_a_server_without_schemas_is_told_the_schema_in_the_prompt(scripted: Callable[..., Scripted]) -> None:
    server = scripted(completion("{}"))
    ask(server.model, EngineSettings(structure="object"))
    (asked,) = server.asked
    assert asked.body["response_format"] == {"type": "json_object"}
    assert [one["role"] for one in asked.body["messages"]] == ["system", "system", "user"]
    assert SHAPE.schema in asked.body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("spec", "structure"), [("openai:m@http://127.0.0.1:9/v1", "tool"), ("anthropic:m@http://127.0.0.1:9/v1", "object")]
)
def test_a_structure_that_an_api_does_not_have_is_refused(spec: str, structure: Any) -> None:
    with pytest.raises(ConfigError, match=f"structure can't be '{structure}'"):
        RemoteEngine(parse_spec(spec), EngineSettings(structure=structure))


def test_a_tier_keeps_to_the_requests_per_minute_of_its_table(scripted: Callable[..., Scripted]) -> None:
    server = scripted(completion("{}"))

    async def work() -> None:
        engine = RemoteEngine(parse_spec(server.model), EngineSettings(requests_per_minute=1))
        await engine.start()
        try:
            await engine.complete(Request(MESSAGES, SHAPE, 20, 0))
            with pytest.raises(TimeoutError):  # its turn is in a minute
                await asyncio.wait_for(engine.complete(Request(MESSAGES, SHAPE, 20, 0)), 0.3)
        finally:
            await engine.close()

    asyncio.run(work())
    assert len(server.asked) == 1
