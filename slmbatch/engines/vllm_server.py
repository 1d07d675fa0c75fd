"""The child process that runs `vllm serve`: `python -m slmbatch.engines.vllm_server`, started by child.py.

Reads one JSON line (command, environment) from standard input, answers with one JSON line that holds the address when
the server is healthy, and ends as the server ends. However this process's parent dies, standard input closes, and then
the server goes with all the processes that it has started.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

GRACE_S = 3.0  # for the server to tidy up; child.py waits a little longer
LOOK_S = 0.2
HEALTH_S = 5.0


def main() -> None:
    """Serve until the parent goes away or the server ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the server prints belongs into the log
    configuration = json.loads(sys.stdin.readline())
    with reserved_port() as place:
        port = place.getsockname()[1]
        server = subprocess.Popen(  # noqa: S603
            [*configuration["command"], "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **configuration["environment"]},
            start_new_session=True,
        )
        threading.Thread(target=end_with_the_parent, args=(server,), daemon=True).start()
        while server.poll() is None and not healthy(port):
            time.sleep(LOOK_S)
        if server.poll() is None:
            print(json.dumps({"url": f"http://127.0.0.1:{port}"}), file=answers, flush=True)
        code = server.wait()
    end_group(server)  # workers may outlive the process that started them
    end_as(code)


def reserved_port() -> socket.socket:
    """Find a free port and keep others from being given it while vLLM, which may bind it all the same, is loading."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", 0))
    return place


def healthy(port: int) -> bool:
    """Whether the server says that it can answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HEALTH_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end_with_the_parent(server: subprocess.Popen[bytes]) -> None:
    """Wait until standard input closes, then end the server and all its processes."""
    sys.stdin.read()
    server.terminate()
    end_group(server)
    os._exit(0)


def end_group(server: subprocess.Popen[bytes]) -> None:
    """Give the server's processes a moment to tidy up, then kill those that are left."""
    deadline = time.monotonic() + GRACE_S
    while (left := members(server.pid)) and time.monotonic() < deadline:
        server.poll()
        time.sleep(LOOK_S)
    while left:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)
        left = members(server.pid)


def members(group: int) -> list[int]:
    """The processes of a group that run, without Python's resource trackers: when the others are gone these free the
    shared memory that those have left, and end.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()  # empty when it has ended
            if command and b"resource_tracker" not in command and os.getpgid(int(folder.name)) == group:
                found.append(int(folder.name))
    return found


def end_as(code: int) -> None:
    """End with the server's exit code, or by the signal that ended it."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
