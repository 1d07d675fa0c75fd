"""Running a command and saying what it took: CPU seconds, wall clock, peak memory. Linux only (reads /proc)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Spent:
    """`cpu_s` is user and system time, finished child processes included; `peak_mb` is of the main process (MiB)."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def run_measured(command: Sequence[str], *, limit_s: float) -> Spent:
    """Run to the end and measure. Raises RuntimeError when the command fails or takes longer than `limit_s`.

    The peak is VmHWM, looked at until the process is gone: ru_maxrss would start with the size of the process that
    started it.
    """
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    peak_kb = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        if time.monotonic() - started > limit_s:
            process.kill()
            process.wait()
            raise RuntimeError(f"not done after {limit_s:g} s: {' '.join(command)}")
        time.sleep(LOOK_EVERY_S)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}")
    return Spent(usage.ru_utime + usage.ru_stime, time.monotonic() - started, peak_kb / 1024)


def environment() -> dict[str, str]:
    """This process's environment without a key: nothing here needs one, and it would add a header on one side."""
    return {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}


def _peak_kb(pid: int) -> int:
    """The process's largest resident set so far; 0 when it has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


@contextmanager
def loopback_server() -> Iterator[str]:
    """Start the tests' server, which answers at once, in a process of its own; gives its URL."""
    command = [sys.executable, str(ROOT / "tests" / "loopback_server.py"), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.kill()
        server.wait()


@contextmanager
def recording_server() -> Iterator[tuple[str, list[bytes]]]:
    """Start a server in a thread that keeps each request's body and answers nothing of use; gives URL and bodies."""
    bodies: list[bytes] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Recorder)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()


def machine() -> str:
    """Say what was measured on, and how busy it was with other things at this moment."""
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"machine: {os.cpu_count()} cores, {system}; load averages (1, 5, 15 min): {load}"


def middle(values: Sequence[float], digits: int) -> str:
    """Write the median with the range: `1.23 (1.20 to 1.31)`."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def verdict(*, met: bool) -> str:
    return "met" if met else "MISSED"
