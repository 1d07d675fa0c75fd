"""Anthropic's Messages API, against a server that speaks it as its documentation does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slmbatch.chat import Completion, JsonShape, Message, Request, Usage
from slmbatch.engines.remote import RemoteEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.errors import ContextTooLong, EngineError, MalformedReply, Refused, Rejected, RequestError
from tests.harness import LABELS, Asked, Reply, Scripted, results, slmbatch, write_table

KEY = "sk-ant-a-key-that-must-not-show"
SCHEMA = '{"type":"object","properties":{"label":{"type":"string","maxLength":9}},"required":["label"]}'
ASKED = Request((Message("system", "Sort."), Message("user", "Text: hello")), JsonShape("label", SCHEMA), 20, 0)
STRICT = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
USAGE = {"input_tokens": 50, "output_tokens": 9, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def message(*content: dict[str, Any], stop: str = "end_turn", usage: dict[str, Any] | None = None) -> Reply:
    """A message as the API words it."""
    return Reply(
        body=json.dumps(
            {
                "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
                "type": "message",
                "role": "assistant",
                "model": "claude-haiku-4-5-20251001",
                "content": list(content),
                "stop_reason": stop,
                "stop_sequence": None,
                "usage": USAGE | (usage or {}),
            }
        )
    )


def refused(status: int, kind: str, words: str = "no") -> Reply:
    return Reply(
        status, json.dumps({"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"})
    )


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def ask(server: Scripted, model: str = "claude-haiku-4-5", **settings: Any) -> Completion:
    async def work() -> Completion:
        engine = RemoteEngine(
            parse_spec(f"anthropic:{model}@{server.url}"), EngineSettings(**{"attempts": 2, **settings})
        )
        await engine.start()
        try:
            return await engine.complete(ASKED)
        finally:
            await engine.close()

    return asyncio.run(work())


def test_a_request_says_what_is_asked_in_anthropics_words(scripted: Callable[..., Scripted]) -> None:
    server = scripted(message(text('{"label":'), text('"a"}')))
    assert ask(server) == Completion('{"label":"a"}', None, Usage(50, 0, 9))
    (asked,) = server.asked
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in headers
    assert asked.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 20,
        "system": "Sort.",
        "messages": [{"role": "user", "content": "Text: hello"}],
        "temperature": 0,
        "output_config": {"format": {"type": "json_schema", "schema": STRICT}},
    }


def test_an_older_model_is_made_to_call_a_tool(scripted: Callable[..., Scripted]) -> None:
    called = {"type": "tool_use", "id": "toolu_01", "name": "label", "input": {"label": "a"}}
    server = scripted(message(text("I'll sort it."), called, stop="tool_use"))
    assert json.loads(ask(server, "claude-3-5-haiku-latest").text) == {"label": "a"}
    (asked,) = server.asked
    assert asked.body["tool_choice"] == {"type": "tool", "name": "label"}
    assert [tool["input_schema"] for tool in asked.body["tools"]] == [STRICT]
    assert "output_config" not in asked.body


def test_a_model_that_thinks_is_given_room_and_its_thoughts_are_not_the_answer(
    scripted: Callable[..., Scripted],
) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCg"}
    counted = {"output_tokens": 300, "output_tokens_details": {"thinking_tokens": 290}}
    server = scripted(message(thought, text("{}"), usage=counted))
    told = ask(server, "claude-haiku-5-5", effort="low")
    assert (told.text, told.usage) == ("{}", Usage(50, 0, 300, reasoning_tokens=290))
    (asked,) = server.asked
    assert "temperature" not in asked.body
    assert asked.body["max_tokens"] == 20 + 8192
    assert asked.body["output_config"]["effort"] == "low"
    assert "thinking" not in asked.body


def test_thinking_can_be_turned_off(scripted: Callable[..., Scripted]) -> None:
    server = scripted(message(text("{}")))
    ask(server, "claude-haiku-5-5", effort="none")
    (asked,) = server.asked
    assert asked.body["thinking"] == {"type": "disabled"}
    assert asked.body["max_tokens"] == 20
    assert "effort" not in asked.body["output_config"]


def test_input_from_and_to_the_cache_is_part_of_the_input(scripted: Callable[..., Scripted]) -> None:
    counted = {"cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200}
    told = ask(scripted(message(text("{}"), usage=counted)))
    assert told.usage == Usage(1250, cached_tokens=1000, output_tokens=9, cache_write_tokens=200)


def test_a_refusal_is_told_apart_from_a_reply_that_breaks_off(scripted: Callable[..., Scripted]) -> None:
    with pytest.raises(Refused) as caught:
        ask(scripted(message(text('{"la'), stop="refusal")))
    assert caught.value.kind == "refused"
    assert caught.value.billed == Usage(50, 0, 9)
    for stop in ("max_tokens", "model_context_window_exceeded"):
        assert ask(scripted(message(text('{"la'), stop=stop))).cut_short
    assert not ask(scripted(message(text("{}")))).cut_short


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), Rejected),
        (refused(413, "request_too_large"), ContextTooLong),
        (refused(401, "authentication_error", f"invalid x-api-key {KEY}"), EngineError),
        (Reply(body='{"content": 3}'), MalformedReply),
        (Reply(body="<html>"), MalformedReply),
    ],
)
def test_errors_are_translated(scripted: Callable[..., Scripted], reply: Reply, error: type[Exception]) -> None:
    server = scripted(reply)
    with pytest.raises(error) as caught:
        ask(server)
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 529])
def test_an_overloaded_server_is_asked_again(scripted: Callable[..., Scripted], status: int) -> None:
    server = scripted(Reply(status, headers={"Retry-After": "0"}), message(text("{}")))
    assert ask(server).tries == 2


def sorting(asked: Asked) -> Reply:
    """Give the label whose name stands in the text; refuse one text, break off another."""
    if "forbidden" in asked.text:
        return message(stop="refusal")
    if "endless" in asked.text:
        return message(text('{"label": "ca'), stop="max_tokens")
    label = next(name for name in LABELS if name in asked.text.removeprefix("Text: "))
    return message(text(json.dumps({"label": label})), usage={"cache_read_input_tokens": 40})


def test_a_run_with_a_claude_tier_keeps_every_token_on_the_bill(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(by=sorting)
    tier = f"anthropic:claude-haiku-4-5@{server.url}"
    table = write_table(tmp_path / "in.parquet", ["my card", "forbidden", "endless", "the rate"])
    ran = slmbatch(
        *("classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out"),
        *("--model", tier, "--price", f"{tier}=1/5"),
        env={"ANTHROPIC_API_KEY": KEY},
    )
    assert ran.code == 0, ran.err
    rows = results(tmp_path / "out")
    assert [row["status"] for row in rows] == ["accepted", "failed", "failed", "accepted"]
    assert [row["label"] for row in rows] == ["card", None, None, "rate"]
    assert [row["score"] for row in rows] == [None] * 4  # no logprobs: no number is invented
    assert rows[1]["reason"].startswith("refused: ")
    assert rows[2]["reason"].startswith("cut_short: ")
    (cost,) = pq.read_table(tmp_path / "out" / "cost.parquet").to_pylist()
    assert (cost["input_tokens"], cost["cached_tokens"], cost["output_tokens"]) == (4 * 50 + 2 * 40, 80, 36)
    assert float(cost["usd"]) == pytest.approx((280 * 1 + 36 * 5) / 1e6)
    assert sum(row["usd"] for row in rows) == cost["usd"]


def test_every_error_of_a_request_has_a_kind_of_its_own() -> None:
    def below(kind: type[RequestError]) -> list[type[RequestError]]:
        return [kind, *(one for each in kind.__subclasses__() for one in below(each))]

    kinds = [one.kind for one in below(RequestError)]
    assert len(kinds) == len(set(kinds))
