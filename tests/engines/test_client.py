"""The HTTP client: what it sends again, how long it waits, and what it makes of every kind of reply."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
from collections.abc import Callable
from email.utils import format_datetime
from itertools import pairwise

import pytest

from slmbatch.chat import Choice, Completion, JsonShape, Message, Request, Token, Usage
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import LLAMACPP, OPENAI, Dialect
from slmbatch.engines.wire import HttpWire
from slmbatch.errors import (
    ConnectionLost,
    ContextTooLong,
    Forbidden,
    MalformedReply,
    Rejected,
    TimedOut,
    Unavailable,
)
from tests.harness import Reply, Scripted, completion

KEY = "sk-a-key-that-must-not-show"
SHAPE = JsonShape("label", '{"type":"object","properties":{"label":{"type":"string","enum":["a","b"]}}}')
ASKED = Request((Message("system", "Sort."), Message("user", "Text: hello")), SHAPE, 20, 5)


def ask(
    url: str,
    request: Request = ASKED,
    *,
    attempts: int = 5,
    total_s: float = 30,
    timeout_s: float = 10,
    dialect: Dialect = OPENAI,
) -> Completion:
    async def work() -> Completion:
        wire = HttpWire(url, dialect=dialect, key=KEY, timeout_s=timeout_s, connections=4)
        client = ChatClient(wire, model="m", dialect=dialect, policy=RetryPolicy(attempts, total_s))
        await client.open()
        try:
            return await client.complete(request)
        finally:
            await client.close()

    return asyncio.run(work())


def waits(server: Scripted) -> list[float]:
    """Seconds between one request and the next."""
    return [later.at - earlier.at for earlier, later in pairwise(server.asked)]


def test_a_request_says_what_is_asked_in_openais_words(scripted: Callable[..., Scripted]) -> None:
    server = scripted(completion('{"label":"a"}'))
    told = ask(server.url)
    assert told == Completion('{"label":"a"}', None, Usage(7, 0, 3))
    (asked,) = server.asked
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    wanted = ("model", "temperature", "max_completion_tokens", "logprobs", "top_logprobs")
    assert {name: asked.body[name] for name in wanted} == {
        "model": "m",
        "temperature": 0,
        "max_completion_tokens": 20,
        "logprobs": True,
        "top_logprobs": 5,
    }
    assert asked.body["messages"] == [
        {"role": "system", "content": "Sort."},
        {"role": "user", "content": "Text: hello"},
    ]
    assert asked.body["response_format"]["json_schema"]["schema"] == json.loads(SHAPE.schema)
    assert "grammar" not in asked.body


def test_llama_cpp_is_given_a_grammar_instead_of_a_schema(scripted: Callable[..., Scripted]) -> None:
    server = scripted(completion("a"))
    ask(server.url, Request(ASKED.messages, Choice(("a", "b")), 20, 0), dialect=LLAMACPP)
    (asked,) = server.asked
    assert asked.body["grammar"] == 'root ::= "a" | "b"'
    assert "response_format" not in asked.body
    assert "logprobs" not in asked.body


def test_tokens_come_as_bytes_with_their_alternatives(scripted: Callable[..., Scripted]) -> None:
    body = json.loads(completion("é").body)
    body["choices"][0]["finish_reason"] = "length"
    body["choices"][0]["logprobs"] = {
        "content": [
            {"token": "\ufffd", "bytes": [195], "logprob": -0.5, "top_logprobs": [{"token": "x", "logprob": -1.0}]},
            {"token": "\ufffd", "bytes": [169], "logprob": 0, "top_logprobs": []},
        ]
    }
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 4}
    told = ask(scripted(Reply(body=json.dumps(body))).url)
    assert told.tokens == (Token(b"\xc3", -0.5, ((b"x", -1.0),)), Token(b"\xa9", 0.0, ()))
    assert told.usage == Usage(7, 4, 3)
    assert told.cut_short


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_asked_again_until_it_is_answered(scripted: Callable[..., Scripted], status: int) -> None:
    server = scripted(Reply(status, headers={"Retry-After": "0"}), completion("a"))
    assert ask(server.url).tries == 2
    assert server.texts() == ["Text: hello"] * 2


def test_retry_after_in_seconds_is_waited_for(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(429, headers={"Retry-After": "1.2"}), completion("a"))
    ask(server.url)
    (wait,) = waits(server)
    assert 1.2 <= wait < 3


def test_retry_after_as_a_date_is_waited_for(scripted: Callable[..., Scripted]) -> None:
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)  # a date has whole seconds: at least 2 s from now
    server = scripted(Reply(503, headers={"Retry-After": format_datetime(when, usegmt=True)}), completion("a"))
    ask(server.url)
    (wait,) = waits(server)
    assert 1.5 <= wait < 5


def test_a_retry_after_that_is_past_or_nonsense_does_not_stop_the_retry(scripted: Callable[..., Scripted]) -> None:
    past = format_datetime(dt.datetime.now(dt.UTC) - dt.timedelta(hours=1), usegmt=True)
    values = ["-3", past, "soon", "Wed, 99 Foo 2026", "nan", "Mon, 01 Jan 0001 00:00:00 -0000"]
    server = scripted(*(Reply(429, headers={"Retry-After": value}) for value in values), completion("a"))
    assert ask(server.url, attempts=10).tries == len(values) + 1


@pytest.mark.parametrize("value", ["3600", "inf", "1e400"])
def test_a_retry_after_beyond_the_time_allowed_gives_up_at_once(scripted: Callable[..., Scripted], value: str) -> None:
    server = scripted(Reply(429, headers={"Retry-After": value}))
    with pytest.raises(Unavailable, match="429") as caught:
        ask(server.url)
    assert caught.value.tries == 1


def test_retries_are_bounded_by_their_count(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(500, headers={"Retry-After": "0"}))
    with pytest.raises(Unavailable, match="500") as caught:
        ask(server.url, attempts=4)
    assert caught.value.tries == len(server.asked) == 4


def test_retries_are_bounded_by_time(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(500, headers={"Retry-After": "0.3"}))
    with pytest.raises(Unavailable):
        ask(server.url, attempts=100, total_s=1)
    assert 2 <= len(server.asked) <= 4


def test_waits_without_retry_after_grow(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(500), Reply(500), completion("a"))
    ask(server.url)
    first, second = waits(server)
    assert 0.05 <= first < 2
    assert 0.1 <= second < 3


def test_a_connection_that_breaks_is_tried_again(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(None), completion("a"))
    assert ask(server.url).tries == 2


def test_a_request_that_hangs_twice_is_not_sent_a_third_time(scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(after_s=1.5))
    with pytest.raises(TimedOut, match=r"no reply within 0.2 s") as caught:
        ask(server.url, timeout_s=0.2)
    assert caught.value.tries == len(server.asked) == 2


def test_an_unreachable_server_is_a_lost_connection() -> None:
    with socket.socket() as taken:  # bound but not listening: nobody else gets this port
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionLost) as caught:
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", attempts=2)
    assert caught.value.tries == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, '{"error":{"message":"bad"}}', Rejected),
        (404, "no such page", Forbidden),
        (422, '{"detail":[]}', Rejected),
        (401, '{"error":{"message":"who?"}}', Forbidden),
        (403, "", Forbidden),
        (400, '{"error":{"code":"context_length_exceeded","message":"too long"}}', ContextTooLong),
        (400, '{"error":{"code":400,"type":"exceed_context_size_error","message":"too long"}}', ContextTooLong),
    ],
)
def test_a_refusal_is_final(scripted: Callable[..., Scripted], status: int, body: str, error: type[Exception]) -> None:
    server = scripted(Reply(status, body))
    with pytest.raises(error) as caught:
        ask(server.url)
    assert type(caught.value) is error
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Bad gateway</html>",
        "[]",
        "{}",
        '{"choices":[]}',
        '{"choices":[{"message":{"content":"a"}',
        '{"choices":[{"message":{"content":3}}]}',
        completion(None, tool_calls=[{"id": "c", "type": "function"}]).body,
    ],
)
def test_a_reply_that_is_no_completion_is_malformed_and_final(scripted: Callable[..., Scripted], body: str) -> None:
    server = scripted(Reply(body=body))
    with pytest.raises(MalformedReply):
        ask(server.url)
    assert len(server.asked) == 1


def test_a_key_that_the_server_repeats_stays_out_of_the_message(scripted: Callable[..., Scripted]) -> None:
    for body in (f'{{"error":{{"message":"Incorrect API key: {KEY}"}}}}', f"Bearer {KEY} is not known"):
        for status in (400, 401):
            with pytest.raises(Rejected) as caught:
                ask(scripted(Reply(status, body)).url)
            assert KEY not in str(caught.value)
            assert "key" in str(caught.value).lower() or "known" in str(caught.value)
