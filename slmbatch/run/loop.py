"""The loop: reads ahead, keeps a bounded window of rows in flight, and settles them as they finish."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from slmbatch.errors import Interrupted, SlmbatchError
from slmbatch.heads.memory import give_memory_back
from slmbatch.readers import count_rows
from slmbatch.run.attempt_log import AttemptLog
from slmbatch.run.cascade import Cascade
from slmbatch.run.plan import Plan
from slmbatch.run.purse import Purse
from slmbatch.run.window import Window
from slmbatch.store.folder import RunFolder, Stage
from slmbatch.store.parts import KeyIndex, PartStore
from slmbatch.store.records import record
from slmbatch.store.rows import RowWriter
from slmbatch.store.sessions import Session
from slmbatch.types import Document, Result, Status

log = logging.getLogger("slmbatch")
SPARE_ROWS = 16  # rows in flight beyond what all tiers can have under way, so that none waits for a new row
WATCH_S = 0.5
READER_S = 5.0  # how long a stopped run waits for the document that is just being read
STOPPING = (signal.SIGINT, signal.SIGTERM)
Keyed: TypeAlias = tuple[Document, bytes]
Documents: TypeAlias = Generator[list[Document], None, None]


@dataclass(slots=True)
class Counts:
    """How far a run is. Rows, except for `tiers` and `usd`, which count distinct contents settled in this session."""

    total: int | None = None
    read: int = 0
    done: int = 0
    resumed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    usd: Decimal = Decimal(0)
    started: float = field(default_factory=time.monotonic)


class Loop:
    """One session of a run."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        *,
        cascade: Cascade,
        purse: Purse,
        documents: Documents,
        watch: Callable[[Counts], None] | None,
        stage: Stage | None = None,
    ) -> None:
        """`stage` is where results are kept, those of an ordinary run unless said."""
        stage = stage or folder.main
        self._plan = plan
        self._cascade = cascade
        self._tiers = cascade.tiers
        self._purse = purse
        self._log = AttemptLog(purse, plan, [tier.plan for tier in cascade.tiers])
        self._documents = documents
        self._watch = watch
        self.counts = Counts(total=_total(plan))
        self._store = PartStore(stage.parts)
        self._known = KeyIndex.gathered(self._store.done(without_failed=plan.choices.retry_failed))
        self._rows = RowWriter(stage.rows)
        self._recent: set[bytes] = set()  # settled since the batch that is being worked on was compared with `_known`
        self._committed: set[bytes] = set()  # those of them that `_known` has by now
        self._waiting: dict[bytes, int] = {}  # in flight: how many rows have this content
        self._window = Window(2 * sum(tier.concurrency for tier in self._tiers) + SPARE_ROWS)
        self._session = Session(folder.sessions)
        self._running: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._main: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Settle every row. Finished rows are committed however this ends; raises what ended it early.

        Tiers and purse are closed when this ends.
        """
        self._main = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._stop, Interrupted("Interrupted."))
        tiers = [tier.plan.name for tier in self._tiers]
        log.info("session started", extra={"facts": {"task": self._plan.task.name, "tiers": tiers}})
        watcher = asyncio.create_task(self._watching())
        try:
            for tier in self._tiers:
                if self._purse.open_batches(tier.plan.name):  # what these hold back of the cap must be freed
                    await tier.start()
            async with asyncio.TaskGroup() as group:
                await self._feed(group)
            self._rows.finish()
        except (asyncio.CancelledError, BaseExceptionGroup) as error:
            raise (self._failure or _cause(error)) from None
        finally:
            for number in STOPPING:  # what is left to do is short, and must not be cut
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
            watcher.cancel()
            self._rows.close()
            self._store.commit()
            self._save_session(now=True)
            ended = {"rows": self.counts.done, "resumed": self.counts.resumed, **self.counts.statuses}
            log.info("session ended", extra={"facts": ended})
            for tier in self._tiers:
                await _closed(tier.close())
            await self._purse.close()
            for number in STOPPING:
                signal.signal(number, signal.default_int_handler)

    async def _feed(self, group: asyncio.TaskGroup) -> None:
        """Read ahead by one batch, and start a row whenever the window has room."""
        async with aclosing(_ahead(self._documents)) as batches:
            async for batch in batches:
                self._recent -= self._committed
                self._committed.clear()
                known = self._known.contains([key for _, key in batch])
                for (document, key), settled in zip(batch, known, strict=True):
                    self._rows.add(document, key)
                    self.counts.read += 1
                    if settled or key in self._recent:
                        self.counts.done += 1
                        self.counts.resumed += settled
                    elif key in self._waiting:
                        self._waiting[key] += 1
                    else:
                        await self._window.enter(document)
                        self._waiting[key] = 1
                        row = group.create_task(self._row(document, key))
                        self._running.add(row)
                        row.add_done_callback(self._running.discard)

    async def _row(self, document: Document, key: bytes) -> None:
        try:
            result = await self._cascade.settle(document, key, log=self._log, threshold=self._plan.threshold)
        except SlmbatchError as error:  # not about this row: the engine or the configuration
            self._stop(error)
            return
        except Exception as error:  # the rim: a bug of ours costs its row, and is recorded there
            log.exception("internal error", extra={"facts": {"document": document.id}})
            reason = f"internal: {type(error).__name__}: {error}"
            result = Result(key, Status.FAILED, (), reason=reason, characters=len(document.text))
        finally:
            self._window.leave(document)
        if result.status is Status.FAILED:
            kinds = [attempt.error_kind for attempt in result.attempts]
            log.warning("a row failed", extra={"facts": {"document": document.id, "errors": kinds}})
        self._settled(result)

    def _settled(self, result: Result) -> None:
        committed = self._store.settle(record(result))
        self._recent.add(result.key)
        if committed:
            self._known.add(committed)
            self._committed.update(committed)
            give_memory_back()  # writing a part takes several times its size for a moment
        rows = self._waiting.pop(result.key)
        self.counts.done += rows
        self._session.count(rows)
        self.counts.statuses[result.status.value] += rows
        self.counts.usd += sum((attempt.usd for attempt in result.attempts), Decimal(0))
        if result.shown is not None:
            self.counts.tiers[result.attempts[result.shown].tier] += 1

    def _stop(self, failure: SlmbatchError) -> None:
        """End the run for this reason: rows in flight are given up, finished ones are kept."""
        if self._failure is None and self._main is not None:
            self._failure = failure
            self._main.cancel()
            for row in self._running:  # at once, not when the reader has come to an end: each may be a paid request
                row.cancel()

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._save_session()
            if self._watch is not None:
                self._watch(self.counts)

    def _save_session(self, *, now: bool = False) -> None:
        self._session.save({tier.plan.name: tier.busy.seconds for tier in self._tiers}, now=now)


async def _closed(closing: Coroutine[Any, Any, None]) -> None:
    """Close one thing, and let nothing that goes wrong there keep the next from being closed."""
    try:
        await closing
    except Exception:
        log.exception("internal error", extra={"facts": {"while": "closing"}})


def _total(plan: Plan) -> int | None:
    """How many rows there will be, where that can be known before reading."""
    total, limit = count_rows(plan.found, plan.reading), plan.reading.limit
    return total if total is None or limit is None else min(total, limit)


def _cause(error: BaseException) -> BaseException:
    """The first error of a task group's bundle."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _ahead(batches: Documents) -> AsyncGenerator[list[Keyed], None]:
    """Yield the batches with their keys, reading the next one in a thread while this one is worked on."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "reader")
    coming = loop.run_in_executor(thread, _next, batches)
    try:
        while (batch := await coming) is not None:
            coming = loop.run_in_executor(thread, _next, batches)
            yield batch
    finally:
        _, late = await asyncio.wait([coming], timeout=READER_S)
        if not late:
            await loop.run_in_executor(thread, batches.close)
        thread.shutdown(wait=False)


def _next(batches: Documents) -> list[Keyed] | None:
    batch = next(batches, None)
    return None if batch is None else [(document, document.content_hash()) for document in batch]
