"""What several test rooms share: slmbatch as a process, real servers, made tables, waiting with a deadline.

Knows the loopback server's protocol and the folder's layout; nothing of ours is replaced or patched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.types import Document, Page

TESTS = Path(__file__).parent
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
EMBEDDED = "llamacpp:smollm2-135m"
LABELS = ("card", "account", "transfer", "rate", "app")


@dataclass(frozen=True)
class Ran:
    """How a process ended."""

    code: int
    out: str
    err: str


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable. No key of the developer's comes along."""
    merged: dict[str, str | None] = {**os.environ, **dict.fromkeys(KEYS), **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def start(
    *arguments: object,
    env: Mapping[str, str | None] | None = None,
    file_size: int | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start slmbatch in a process group of its own, as a shell does.

    No file may grow beyond `file_size` bytes, rounded up to KiB, if given: what a full disk is like.
    """
    arguments = (*arguments, *_own_servers(arguments))
    limited = ["bash", "-c", f'ulimit -f {-(-file_size // 1024)}; exec "$@"', "bash"] if file_size else []
    return subprocess.Popen(
        [*limited, sys.executable, "-m", "slmbatch", *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
        start_new_session=True,
    )


def _own_servers(arguments: Sequence[object]) -> list[str]:
    """Say that the servers on loopback that a run names cost nothing, unless it says what they cost."""
    if not arguments or arguments[0] not in {"classify", "extract", "estimate"}:
        return []
    said = {str(one).rpartition("=")[0] for one in arguments if "=" in str(one)}
    words = {str(one) for one in arguments if "=" not in str(one)}
    named = {one for one in words if one.startswith("openai:") and "@http://127.0.0.1" in one}
    if "--config" in arguments and "price" in Path(str(arguments[arguments.index("--config") + 1])).read_text():
        return []
    return [word for tier in sorted(named - said) for word in ("--price", f"{tier}=0")]


def finish(process: subprocess.Popen[str], *, within_s: float = 100) -> Ran:
    """Wait for a started slmbatch and return how it ended."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return Ran(process.returncode, out, err)


def slmbatch(*arguments: object, env: Mapping[str, str | None] | None = None, within_s: float = 100) -> Ran:
    """Run slmbatch to its end."""
    return finish(start(*arguments, env=env), within_s=within_s)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill -9 the process alone, as the kernel would, and reap it."""
    process.kill()
    process.communicate()


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float = 60) -> None:
    """Poll until the condition holds; fails at the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.005)


def descendants(parent: int, holding: str) -> list[int]:
    """Child processes of `parent` whose command line holds this text."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) == parent and stat[0] != "Z" and holding in (folder / "cmdline").read_text():
                    found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Loopback:
    """tests/loopback_server.py as a process."""

    def __init__(self, *, latency_s: float = 0.0, faults: str = "", seed: int = 1) -> None:
        command = [sys.executable, str(TESTS / "loopback_server.py"), "--latency-s", str(latency_s)]
        command += ["--faults", faults, "--seed", str(seed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url: str = json.loads(self._process.stdout.readline())["url"]

    @property
    def model(self) -> str:
        return f"openai:loopback@{self.url}"

    def _stats(self, name: str) -> Counter[int]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats", timeout=10) as response:
            counts = json.load(response)[name]
        return Counter({int(row): count for row, count in counts.items()})

    def asked(self) -> Counter[int]:
        """How often each row was asked."""
        return self._stats("asked")

    def answered(self) -> Counter[int]:
        """How often each row was answered with a completion."""
        return self._stats("answered")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass
class Asked:
    """One request as a scripted server saw it."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """What a scripted server answers. Without a status the connection is closed without a word."""

    status: int | None = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0


def completion(content: str | None, **message: object) -> Reply:
    """A completion without logprobs."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
    return Reply(body=json.dumps({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}))


class Threaded:
    """A server on loopback in a thread of the test."""

    def serve_with(self, connection: type[BaseHTTPRequestHandler]) -> None:
        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), connection)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Scripted(Threaded):
    """A server in a thread that answers as it's told: `replies` in turn, the last one for ever, or a function."""

    def __init__(self, *replies: Reply, by: Callable[[Asked], Reply] | None = None) -> None:
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        script = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with script._lock:
                    asked = Asked(body, dict(self.headers))
                    script.asked.append(asked)
                    reply = by(asked) if by else replies[min(len(script.asked), len(replies)) - 1]
                time.sleep(reply.after_s)
                with suppress(OSError):  # the client may have given up
                    self.answer(reply)

            def answer(self, reply: Reply) -> None:
                self.close_connection = reply.status is None
                if reply.status is None:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body.encode())))
                self.end_headers()
                self.wfile.write(reply.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.serve_with(Connection)

    @property
    def model(self) -> str:
        return f"openai:scripted@{self.url}"

    def texts(self) -> list[str]:
        return [asked.text for asked in self.asked]


def row_text(row: int) -> str:
    """A text that the loopback server knows the right answer to."""
    return f"[row:{row}] My card has not arrived and I would like to know when it will."


def right_label(row: int) -> str:
    """The label that the loopback server gives row N: number N of the labels as slmbatch sorts them."""
    return sorted(LABELS)[row % len(LABELS)]


def key_of(text: str) -> bytes:
    """The content hash of a text."""
    return Document("", "", None, (Page(1, text),)).content_hash()


def write_table(path: Path, texts: Sequence[str], ids: Sequence[str] | None = None) -> Path:
    """Write a Parquet table with a column `text`, and `id` if given."""
    columns: dict[str, Sequence[str]] = {"text": texts} | ({"id": ids} if ids else {})
    pq.write_table(pa.table(columns), path)
    return path


def write_rows(path: Path, rows: Sequence[int]) -> Path:
    """Write a table of texts that the loopback server knows."""
    return write_table(path, [row_text(row) for row in rows])


def results(out: Path) -> list[dict[str, Any]]:
    """The rows of results.parquet."""
    rows: list[dict[str, Any]] = pq.read_table(out / "results.parquet").to_pylist()
    return rows


def parts_of(out: Path) -> list[dict[str, Any]]:
    """Every result that was settled so far, oldest first: the parts, then a journal that is still open."""
    folder = out / ".slmbatch" / "parts"
    settled = [row for path in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    parts = {path.stem.removeprefix("part-") for path in folder.glob("part-*.parquet")}
    for path in sorted(folder.glob("journal-*.jsonl")):
        if path.stem.removeprefix("journal-") not in parts:
            lines = [msgspec.json.decode(line) for line in path.read_bytes().split(b"\n")[:-1]]
            settled += [line | {"key": bytes.fromhex(line["key"])} for line in lines]
    return settled


def interrupt(process: subprocess.Popen[str]) -> None:
    """Do what Ctrl-C does: signal the whole process group."""
    os.killpg(process.pid, signal.SIGINT)
