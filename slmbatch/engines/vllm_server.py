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
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a group of our own: the server is ended with all of it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the server prints belongs into the log
    configuration = json.loads(sys.stdin.readline())
    with reserved_port() as place:
        port = place.getsockname()[1]
        server = subprocess.Popen(  # noqa: S603
            [*configuration["command"], "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **configuration["environment"]},
        )  # in this process's group, so that whoever kills the group gets them all
        threading.Thread(target=end_with_the_parent, args=(server,), daemon=True).start()
        while server.poll() is None and not healthy(port):
            time.sleep(LOOK_S)
        if server.poll() is None:
            print(json.dumps({"url": f"http://127.0.0.1:{port}"}), file=answers, flush=True)
        code = server.wait()
    end_group()  # workers may outlive the process that started them
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
    """Wait until standard input closes, then end the server and all its processes.

    A server that has ended is left to `main`, which is about to end as it did: our input closes then, too.
    """
    sys.stdin.read()
    if server.poll() is not None:
        return
    server.terminate()
    end_group()
    os._exit(0)


def end_group() -> None:
    """Give the other processes of our group a moment to tidy up, then kill those that are left."""
    if not Path("/proc/self/cmdline").exists():  # not Linux: there's no telling them apart
        time.sleep(GRACE_S)
        os.killpg(0, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_S
    while (left := others()) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    while left:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)
        left = others()


def others() -> list[int]:
    """The other processes of our group."""
    return [pid for pid in members(os.getpgrp()) if pid != os.getpid()]


def members(group: int) -> list[int]:
    """The processes of a group that run, without Python's resource trackers: these end by themselves when the rest is
    gone, after freeing the shared memory that it has left.
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
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
