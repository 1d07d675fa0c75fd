"""A chat completions server on loopback that answers at once and misbehaves on demand: for faults, kills, benchmarks.

    python tests/loopback_server.py --port 0 [--latency-s 0.05] [--faults 500=0.01,429=0.01,hang=0.005,…]

Prints one JSON line with its address. A text that holds `[row:N]` is answered with label number N modulo their count
(of the enum in response_format), so a shifted or swapped answer shows. GET /stats tells how often each row was asked
and answered. Which rows are hit by which fault depends on N and --seed only: `500`, `429` and `hang` strike the first
time a row is asked, `malformed` and `context` each time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from random import Random
from typing import cast

import msgspec

ROW = re.compile(rb"\[row:(\d+)\]")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
ONCE, ALWAYS = ("500", "429", "hang"), ("malformed", "context")
HANG_S = 3600.0


class Plan:
    """Which fault each row meets, and what has been asked and answered."""

    def __init__(self, faults: dict[str, float], *, seed: int, latency_s: float) -> None:
        self.faults, self.seed, self.latency_s = faults, seed, latency_s
        self.asked: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.replies: dict[bytes, list[bytes]] = {}

    def fault(self, row: int) -> str | None:
        if not self.faults:
            return None
        dice = Random(self.seed * 1_000_003 + row).random()
        for name, share in self.faults.items():
            dice -= share
            if dice < 0:
                return name if name in ALWAYS or self.asked[row] == 1 else None
        return None

    def reply(self, body: bytes, row: int) -> bytes:
        """The completion that names label number `row`; one body per label set and label is built only once."""
        start = body.find(b'"response_format"')
        shape = body[start:] if start >= 0 else b""
        if shape not in self.replies:
            asked = msgspec.json.decode(body)
            schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
            labels = schema.get("properties", {}).get("label", {}).get("enum", ["x"])
            self.replies[shape] = [_completion(label, labels) for label in labels]
        replies = self.replies[shape]
        return replies[row % len(replies)]


def _completion(label: str, labels: list[str]) -> bytes:
    """A completion as OpenAI words it: `{"label":"NAME"}` in three tokens, the middle one with alternatives."""
    head, tail = '{"label":"', '"}'
    top = [{"token": one, "bytes": list(one.encode()), "logprob": -0.05 if one == label else -4.0} for one in labels]
    tokens = [
        {"token": text, "bytes": list(text.encode()), "logprob": logprob, "top_logprobs": alternatives}
        for text, logprob, alternatives in [(head, 0.0, []), (label, -0.05, top[:20]), (tail, 0.0, [])]
    ]
    return json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": f"{head}{label}{tail}"},
                    "logprobs": {"content": tokens},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 80}},
        }
    ).encode()


class Connection(asyncio.Protocol):
    def __init__(self, plan: Plan) -> None:
        self.plan, self.data = plan, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.data, 0, end)
            total = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.data) < total:
                return
            request, self.data = self.data[:total], self.data[total:]
            self.answer(request, request[end + 4 :])

    def answer(self, request: bytes, body: bytes) -> None:
        if request.startswith(b"GET /stats"):
            stats = {"asked": self.plan.asked, "answered": self.plan.answered}
            self.send(200, msgspec.json.encode(stats))
            return
        match = ROW.search(body)
        row = int(match.group(1)) if match else 0
        self.plan.asked[row] += 1
        fault = self.plan.fault(row)
        delay = HANG_S if fault == "hang" else self.plan.latency_s
        if delay:
            asyncio.get_running_loop().call_later(delay, self.reply, fault, body, row)
        else:
            self.reply(fault, body, row)

    def reply(self, fault: str | None, body: bytes, row: int) -> None:
        if fault == "500":
            self.send(500, b'{"error":{"message":"internal"}}')
        elif fault == "429":
            self.send(429, b'{"error":{"message":"slow down"}}', b"Retry-After: 0.2\r\n")
        elif fault == "context":
            self.send(400, b'{"error":{"code":"context_length_exceeded","message":"too long"}}')
        else:
            reply = self.plan.reply(body, row)
            self.plan.answered[row] += 1
            self.send(200, reply[: len(reply) // 2] if fault == "malformed" else reply)

    def send(self, status: int, body: bytes, extra: bytes = b"") -> None:
        head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head % (status, extra, len(body)) + body)


async def serve(plan: Plan, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(plan), "127.0.0.1", port)
    host, bound = server.sockets[0].getsockname()[:2]
    print(json.dumps({"url": f"http://{host}:{bound}/v1"}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--faults", default="")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    faults = {name: float(share) for name, _, share in (one.partition("=") for one in given.faults.split(",") if one)}
    assert all(name in (*ONCE, *ALWAYS) for name in faults), f"unknown fault among {list(faults)}"
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    run(serve(Plan(faults, seed=given.seed, latency_s=given.latency_s), given.port))


if __name__ == "__main__":
    main()
