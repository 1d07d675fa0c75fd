"""A local server as a child process: start it, know when it's ready, see it die and tell why, stop it.

The child gets its configuration as one JSON line on standard input and ends when that pipe closes, so it can't outlive
this process however that one dies. Its first line on standard output is a JSON object that says where it listens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from slmbatch.engines.ending import Ending, ending
from slmbatch.errors import EngineError

logger = logging.getLogger("slmbatch")
STOP_S = 5.0
TIDY_S = 0.5  # for what is left of a server that died to free the shared memory
NEWS_S = 5.0  # how often a server that is starting is looked after
TAIL_LINES, TAIL_BYTES = 15, 65_536
LINE_LENGTH = 200  # characters shown of a line of the log

Configuration: TypeAlias = Mapping[str, str | int | Sequence[str] | Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server.

    `ready_s` bounds how long its log may stand still while it starts: loading takes long, and a log that goes on is
    progress. `notice_s` is how long a dying process may take to be seen dead after its connections broke.
    """

    name: str
    module: str
    configuration: Configuration
    log: Path
    ready_s: float = 600.0
    notice_s: float = 2.0


class Child:
    """One running server process."""

    def __init__(self, launch: Launch, process: asyncio.subprocess.Process, log_begins: int) -> None:
        self._launch = launch
        self._process = process
        self._log_begins = log_begins  # behind that of the server before
        self._hung = self._stopped = False

    @classmethod
    async def start(cls, launch: Launch) -> tuple[Child, Mapping[str, str]]:
        """Start the server and wait until it says where it listens. Raises EngineError with the log's end."""
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        with launch.log.open("ab") as log:
            begins = log.tell()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", launch.module,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop the child when the finished rows are safe
            )  # fmt: skip
        child = cls(launch, process, begins)
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        try:
            process.stdin.write(json.dumps(dict(launch.configuration)).encode() + b"\n")
            await process.stdin.drain()
            return child, json.loads(await child._first_line(process.stdout))
        except TimeoutError as error:
            await child.stop()
            raise child.failure(f"was not ready within {launch.ready_s:g} s of its log's last line") from error
        except (ValueError, ConnectionError) as error:
            await child.stop()
            raise child.failure("ended while it was starting") from error
        except asyncio.CancelledError:  # it may be busy loading for long before it sees that its input was closed
            await child.stop()
            raise

    async def _first_line(self, answers: asyncio.StreamReader) -> bytes:
        """Wait for it, and pass on what is logged meanwhile. Raises TimeoutError when the log stands still."""
        clock = asyncio.get_running_loop().time
        reading = asyncio.ensure_future(answers.readline())
        said, since = "", clock()
        try:
            while not (await asyncio.wait({reading}, timeout=min(NEWS_S, self._launch.ready_s)))[0]:
                latest = (self._log_end().splitlines() or [""])[-1][:LINE_LENGTH]
                if latest != said:
                    said, since = latest, clock()
                    facts = {"server": self._launch.name, "log": said}
                    logger.info("a local server is starting", extra={"facts": facts})
                elif clock() - since >= self._launch.ready_s:
                    raise TimeoutError
            return reading.result()
        finally:
            reading.cancel()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._stopped

    @property
    def ending(self) -> Ending:
        """Why it ended."""
        return ending(self._process.returncode, self._log_end(), hung=self._hung)

    def failure(self, what: str) -> EngineError:
        """Say what happened to the server, why it ended, and what its log said last."""
        why = self.ending
        tail = "\n  ".join(["", *self._log_end().splitlines()[-TAIL_LINES:]])
        message = f"{self._launch.name} {what} ({why.what}). The end of its log:{tail}"
        return EngineError(message, f"{why.remedy} The whole log: {self._launch.log}".strip())

    async def died(self, within_s: float) -> bool:
        """Wait a moment for the process to end; a lost connection often comes before the exit."""
        try:
            await asyncio.wait_for(self._process.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End the process, and wait for that: by closing its input, or by force."""
        self._stopped = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not await self.died(STOP_S):
            self._process.kill()
            await self._process.wait()
        if self._process.returncode != 0:  # it may not have ended what it had started
            await asyncio.sleep(TIDY_S)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End a process that hangs. Its input is closed first, as it may have processes of its own to end."""
        self._hung = self._hung or self.alive
        await self.stop()

    def _log_end(self) -> str:
        """What this server, not one before it, has logged last."""
        try:
            size = self._launch.log.stat().st_size
            with self._launch.log.open("rb") as file:
                file.seek(max(self._log_begins, size - TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""
