"""A remote engine: its key, and when a server that doesn't answer ends the run instead of costing rows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from slmbatch.chat import Completion, JsonShape, Message, Request
from slmbatch.engines.remote import RemoteEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.errors import ConfigError, ConnectionLost, EngineError, Forbidden, Rejected
from tests.harness import Asked, Reply, Scripted, completion

FAST = EngineSettings(attempts=1)


def request(text: str = "hello") -> Request:
    return Request((Message("user", text),), JsonShape("x", '{"type":"object"}'), 8, 0)


def ask(model: str, *texts: str, settings: EngineSettings = FAST) -> list[Completion | BaseException]:
    """Ask one after the other; return what each came to."""

    async def work() -> list[Completion | BaseException]:
        engine = RemoteEngine(parse_spec(model), settings)
        await engine.start()
        try:
            return [(await asyncio.gather(engine.complete(request(text)), return_exceptions=True))[0] for text in texts]
        finally:
            await engine.close()

    return asyncio.run(work())


def kinds(outcomes: list[Completion | BaseException]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


def test_the_key_comes_from_the_named_variable(
    scripted: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-default")
    server = scripted(completion("x"))
    ask(server.model, "a", settings=EngineSettings(key_env="OTHER_KEY"))
    ask(server.model, "a")
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer sk-other", "Bearer sk-default"]


def test_a_server_of_ones_own_needs_no_key(scripted: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = scripted(completion("x"))
    ask(server.model, "a")
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("spec", ["openai:gpt-5-mini", "openai:m@http://127.0.0.1:9/v1"])
def test_a_missing_key_is_said_before_anything_is_sent(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    named = EngineSettings(key_env="THE_KEY") if "@" in spec else EngineSettings()
    with pytest.raises(ConfigError, match="THE_KEY is not set" if "@" in spec else "OPENAI_API_KEY is not set"):
        RemoteEngine(parse_spec(spec), named)


def test_a_refused_key_is_the_end_unless_the_key_has_worked_before(scripted: Callable[..., Scripted]) -> None:
    refused = Reply(401, '{"error":{"message":"no such key"}}')
    assert kinds(ask(scripted(refused).model, "a")) == ["EngineError"]
    assert kinds(ask(scripted(completion("x"), refused).model, "a", "b", "c")) == [
        "Completion",
        "Forbidden",
        "Forbidden",
    ]


def test_a_server_that_cannot_be_reached_is_the_end() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        spec = f"openai:m@http://127.0.0.1:{taken.getsockname()[1]}/v1"
        assert kinds(ask(spec, "a")) == ["EngineError"]


def test_a_first_request_that_breaks_its_connection_is_not_the_end(scripted: Callable[..., Scripted]) -> None:
    def by(asked: Asked) -> Reply:
        return Reply(None) if "break" in asked.text else completion("x")

    assert kinds(ask(scripted(by=by).model, "break", "break", "fine")) == [
        "ConnectionLost",
        "ConnectionLost",
        "Completion",
    ]
    assert kinds(ask(scripted(by=by).model, *["break"] * 3))[-1] == "EngineError"
    assert kinds(ask(scripted(by=by).model, "fine", *["break"] * 5)) == ["Completion", *["ConnectionLost"] * 5]


def test_a_server_that_rejects_every_request_costs_rows_and_not_the_run(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(400, '{"error":{"message":"unknown model"}}'))
    assert kinds(ask(server.model, *"abcde")) == ["Rejected"] * 5


def test_errors_of_the_engine_name_the_tier() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        spec = f"openai:m@http://127.0.0.1:{taken.getsockname()[1]}/v1"
        (outcome,) = ask(spec, "a")
    assert isinstance(outcome, EngineError)
    assert spec in outcome.message
    assert "address" in outcome.remedy
    assert {ConnectionLost, Forbidden, Rejected} & {type(outcome)} == set()


def test_the_default_key_is_not_sent_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from slmbatch.engines.remote import key_of

    monkeypatch.setenv("OPENAI_API_KEY", "sk-default")
    for url, sent in [
        ("http://gpu-host:8000/v1", False),
        ("https://gpu-host/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1.example.com/v1", False),
        ("http://127.0.0.1:8000/v1", True),
    ]:
        assert bool(key_of(parse_spec(f"openai:m@{url}"), EngineSettings())) is sent
    monkeypatch.setenv("NAMED", "sk-named")
    named = key_of(parse_spec("openai:m@http://gpu-host:8000/v1"), EngineSettings(key_env="NAMED"))
    assert named == "sk-named"


def test_a_key_on_two_lines_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with pytest.raises(ConfigError, match="control characters") as caught:
        RemoteEngine(parse_spec("openai:m"), FAST)
    assert "sk-" not in f"{caught.value.message}{caught.value.remedy}"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\n")
    RemoteEngine(parse_spec("openai:m"), FAST)


def test_an_address_with_a_password_is_refused() -> None:
    for url in ("http://user:secret@host/v1", "https://user@host:80/v1"):
        with pytest.raises(ConfigError, match="user name or password") as caught:
            parse_spec(f"openai:m@{url}")
        assert "secret" not in caught.value.message
