"""A provider with batch endpoints in the published formats of OpenAI and Anthropic, and an online one; it counts.

It runs in a thread of the test. What becomes of each request of a batch is what `script` says, a function of the
batch's number (from 0) and the row that the request's text names first as `[row:N]`: `ok`, `error` (a refusal of this
one request), `busy` (a failure on the provider's side), `expired`, `missing` (no result), `twice` (two results).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from random import Random
from typing import Any

from tests.harness import Threaded

ROW = re.compile(r"\[row:(\d+)\]")
ITEM = re.compile(r"\[row:\d+\] (.+?) +(\d+\.\d\d)$", re.MULTILINE)
INPUT, OUTPUT = 100, 3  # tokens of every reply
Script = Callable[[int, int], str]


@dataclass
class Held:
    """A batch at the provider."""

    id: str
    number: int
    requests: dict[str, dict[str, Any]]  # by custom_id: the body
    made_at: float
    metadata: dict[str, str] = field(default_factory=dict)
    file: str = ""
    cancelled: bool = False
    refused: str | None = None


class BatchProvider(Threaded):
    """`takes_s` passes until a batch has ended. `faults` are statuses that the next calls of a path get, in turn."""

    def __init__(self, *, takes_s: float = 0.0, script: Script = lambda number, row: "ok") -> None:
        self.takes_s = takes_s
        self.script = script
        self.batches: dict[str, Held] = {}
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.refuses: dict[int, str] = {}  # batches by number, with the code of the refusal
        self.faults: dict[str, list[int | None]] = {}
        self.answered: Counter[int] = Counter()  # rows that were answered, and so billed, in batches
        self.online: Counter[int] = Counter()  # the same online
        self.lock = threading.RLock()
        provider = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider.serve(self, b"")

            def do_POST(self) -> None:
                provider.serve(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.serve_with(Connection)

    # One request

    def serve(self, connection: BaseHTTPRequestHandler, body: bytes) -> None:
        path = connection.path.removeprefix("/v1")
        key = f"{connection.command} {path.partition('?')[0]}"
        with self.lock:
            faults = next((left for name, left in self.faults.items() if key.startswith(name) and left), None)
            fault = faults.pop(0) if faults else 200
            answer = b"" if fault not in {200, None} else self._answer(connection, path, body)
        if fault is None:  # carried out, but the answer is lost
            connection.close_connection = True
            return
        status = 400 if answer.startswith(b'{"error"') else fault
        connection.send_response(status)
        connection.send_header("Content-Length", str(len(answer)))
        connection.end_headers()
        connection.wfile.write(answer)

    def _answer(self, connection: BaseHTTPRequestHandler, path: str, body: bytes) -> bytes:  # noqa: C901
        verb, parts = connection.command, path.partition("?")[0].strip("/").split("/")
        match (verb, *parts):
            case ("POST", "chat", "completions") | ("POST", "messages"):
                asked = json.loads(body)
                self.online[row_of(asked)] += 1
                return json.dumps(reply(asked)).encode()
            case ("POST", "files"):
                return self._upload(connection, body)
            case ("GET", "files", name, "content"):
                return self.files[name]
            case ("DELETE", "files", name):
                self.deleted.append(name)
                return b"{}"
            case ("POST", "batches"):
                return self._make_openai(json.loads(body))
            case ("POST", "messages", "batches"):
                return self._make_anthropic(json.loads(body))
            case ("GET", "messages", "batches", id_, "results"):
                return self._results(self.batches[id_], anthropic_result)
            case ("POST", *_, "batches", id_, "cancel"):
                self.batches[id_].cancelled = True
                return self._shown(self.batches[id_], parts)
            case ("DELETE", "messages", "batches", id_):
                self.deleted.append(id_)
                return b"{}"
            case ("GET", *_, "batches"):
                newest = sorted(self.batches.values(), key=lambda one: -one.made_at)
                shown = [json.loads(self._shown(one, parts)) for one in newest]
                return json.dumps({"data": shown, "has_more": False}).encode()
            case ("GET", *_, "batches", id_):
                return self._shown(self.batches[id_], parts)
        raise AssertionError(f"{verb} {path}")

    # Batches

    def _upload(self, connection: BaseHTTPRequestHandler, body: bytes) -> bytes:
        head = f"Content-Type: {connection.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
        assert fields["purpose"].get_payload() == "batch"  # type: ignore[union-attr]
        name = f"file-{len(self.files)}"
        self.files[name] = fields["file"].get_payload(decode=True)  # type: ignore[union-attr, assignment]
        return json.dumps({"id": name, "object": "file"}).encode()

    def _make_openai(self, made: dict[str, Any]) -> bytes:
        assert (made["endpoint"], made["completion_window"]) == ("/v1/chat/completions", "24h")
        lines = [json.loads(line) for line in self.files[made["input_file_id"]].splitlines()]
        assert all((one["method"], one["url"]) == ("POST", made["endpoint"]) for one in lines)
        held = self._hold({one["custom_id"]: one["body"] for one in lines})
        held.metadata, held.file = made["metadata"], made["input_file_id"]
        return self._shown(held, ["batches"])

    def _make_anthropic(self, made: dict[str, Any]) -> bytes:
        held = self._hold({one["custom_id"]: one["params"] for one in made["requests"]})
        return self._shown(held, ["messages", "batches"])

    def _hold(self, requests: dict[str, dict[str, Any]]) -> Held:
        number = len(self.batches)
        held = Held(f"batch_{number}", number, requests, time.time(), refused=self.refuses.get(number))
        self.batches[held.id] = held
        return held

    def ended(self, held: Held) -> bool:
        return held.cancelled or time.time() >= held.made_at + self.takes_s

    def _shown(self, held: Held, parts: list[str]) -> bytes:
        if parts[0] == "messages":
            return json.dumps(self._anthropic(held)).encode()
        return json.dumps(self._openai(held)).encode()

    def _openai(self, held: Held) -> dict[str, Any]:
        fates = self._fates(held)
        status = "in_progress"
        if held.refused is not None:
            status = "failed"
        elif self.ended(held):
            status = "cancelled" if held.cancelled else "expired" if "expired" in fates.values() else "completed"
        shown: dict[str, Any] = {"id": held.id, "object": "batch", "status": status, "created_at": int(held.made_at)}
        shown |= {"metadata": held.metadata, "input_file_id": held.file, "endpoint": "/v1/chat/completions"}
        if held.refused is not None:
            shown["errors"] = {"object": "list", "data": [{"code": held.refused, "message": held.refused}]}
        elif self.ended(held):
            for name in ("output", "error"):
                lines = self._results(held, openai_result).splitlines(keepends=True)
                wanted = [line for line in lines if (b'"status_code": 200' in line) == (name == "output")]
                self.files[f"{held.id}-{name}"] = b"".join(wanted)
                shown[f"{name}_file_id"] = f"{held.id}-{name}" if wanted else None
        return shown

    def _anthropic(self, held: Held) -> dict[str, Any]:
        ended = self.ended(held)
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(held.requests)
        made = dt.datetime.fromtimestamp(held.made_at, dt.UTC).isoformat()
        status = "ended" if ended else "in_progress"
        shown = {"id": held.id, "type": "message_batch", "processing_status": status, "created_at": made}
        return shown | {"request_counts": counts}

    def _fates(self, held: Held) -> dict[str, str]:
        unfinished = held.cancelled and time.time() < held.made_at + self.takes_s
        return {
            one: "expired" if unfinished else self.script(held.number, row_of(body))
            for one, body in held.requests.items()
        }

    def _results(self, held: Held, written: Callable[[str, str, dict[str, Any]], dict[str, Any]]) -> bytes:
        """The result lines, shuffled. Billed once, however often they're fetched."""
        lines = []
        for custom_id, fate in self._fates(held).items():
            body = held.requests[custom_id]
            if fate in {"ok", "twice"} and "billed" not in body:
                body["billed"] = True
                self.answered[row_of(body)] += 1
            if fate != "missing":
                lines += [json.dumps(written(custom_id, fate, body)).encode() + b"\n"] * (2 if fate == "twice" else 1)
        Random(held.number).shuffle(lines)
        return b"".join(lines)


def row_of(body: dict[str, Any]) -> int:
    found = ROW.search(json.dumps(body["messages"]))
    assert found is not None
    return int(found.group(1))


def openai_result(custom_id: str, fate: str, body: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": None}
    if fate == "expired":
        return line | {"error": {"code": "batch_expired", "message": "This request could not be executed in time."}}
    if fate == "error":
        return line | {"response": {"status_code": 400, "body": {"error": {"message": "not this one"}}}}
    if fate == "busy":
        return line | {"response": {"status_code": 500, "body": {"error": {"message": "internal"}}}}
    return line | {"response": {"status_code": 200, "request_id": "r", "body": reply(body)}}


def anthropic_result(custom_id: str, fate: str, body: dict[str, Any]) -> dict[str, Any]:
    kinds = {"error": "invalid_request_error", "busy": "api_error"}
    if fate in kinds:
        error = {"type": "error", "error": {"type": kinds[fate], "message": "not this one"}}
        return {"custom_id": custom_id, "result": {"type": "errored", "error": error}}
    if fate == "expired":
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": reply(body)}}


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """Answer with label number N of those in the asked JSON Schema, else with all rows, in the form that was asked."""
    labels = re.search(r'"enum": (\[.*?\])', json.dumps(body))
    if labels is None:
        found = ITEM.findall(body["messages"][-1]["content"])
        text = json.dumps({"items": [{"name": name, "amount": float(amount)} for name, amount in found]})
    else:
        names = json.loads(labels.group(1))
        text = json.dumps({"label": names[row_of(body) % len(names)]})
    if "response_format" in body:
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT}
        return {"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage}
    usage = {"input_tokens": INPUT, "output_tokens": OUTPUT}
    content = [{"type": "text", "text": text}]
    return {"id": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"} | {
        "usage": usage
    }
