"""A local server as a child process: start it, know when it's ready, see it die, read its log's end, stop it.

The child gets its configuration as one JSON line on standard input and ends when that pipe closes, so it can't outlive
this process however that one dies. Its first line on standard output is a JSON object that says where it listens.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slmbatch.errors import EngineError

STOP_S = 5.0
TAIL_LINES, TAIL_BYTES = 15, 8192


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server. `ready_s` bounds loading the model."""

    name: str
    module: str
    configuration: Mapping[str, str | int]
    log: Path
    ready_s: float = 600.0


class Child:
    """One running server process."""

    def __init__(self, launch: Launch, process: asyncio.subprocess.Process) -> None:
        self._launch = launch
        self._process = process

    @classmethod
    async def start(cls, launch: Launch) -> tuple[Child, Mapping[str, str]]:
        """Start the server and wait until it says where it listens. Raises EngineError with the log's end."""
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        with launch.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", launch.module,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop the child when the finished rows are safe
            )  # fmt: skip
        child = cls(launch, process)
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        try:
            process.stdin.write(json.dumps(dict(launch.configuration)).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), launch.ready_s)
            return child, json.loads(line)
        except TimeoutError as error:
            await child.stop()
            raise child.failure(f"was not ready within {launch.ready_s:g} s") from error
        except (ValueError, ConnectionError) as error:
            await child.stop()
            raise child.failure("ended while it was starting") from error
        except asyncio.CancelledError:  # it may be busy loading for long before it sees that its input was closed
            process.kill()
            raise

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def failure(self, what: str) -> EngineError:
        """Say what happened to the server, how it ended, and what its log said last."""
        code = self._process.returncode
        ending = "" if code is None else f" (signal {-code})" if code < 0 else f" (exit code {code})"
        log = self._launch.log
        tail = "\n  ".join(["", *_last_lines(log)]) if log.exists() else ""
        return EngineError(f"{self._launch.name} {what}{ending}. The end of its log:{tail}", f"The whole log: {log}")

    async def died(self, within_s: float) -> bool:
        """Wait a moment for the process to end; a lost connection often comes before the exit."""
        try:
            await asyncio.wait_for(self._process.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End the process: by closing its input, or by force."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not await self.died(STOP_S):
            self._process.kill()
            await self._process.wait()

    async def kill(self) -> None:
        """End the process at once: it hangs."""
        if self.alive:
            self._process.kill()
        await self._process.wait()


def _last_lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
