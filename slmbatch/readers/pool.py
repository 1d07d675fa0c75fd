"""A pool of worker processes that keeps the order and loses only the job that crashed its process.

Knows nothing of what the jobs are.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from ctypes import Array, c_double
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Generic, TypeVar

from slmbatch.errors import SlmbatchError

Job = TypeVar("Job")
Done = TypeVar("Done")

AHEAD_PER_WORKER = 4
"""Jobs in flight for each worker, so that one slow document at the front doesn't leave the others idle."""

SECONDS = 600
"""What one job may take, or a part of it that says it is still at work."""

MEMORY_BYTES = 2 * 2**30
"""What one job may take beside what its process has: the largest image takes 1.9 of it, OCR's models 0.4."""

_begin_anew: ContextVar[Callable[[], None]] = ContextVar("begin_anew", default=lambda: None)
_deadlines: ContextVar[Array[c_double]] = ContextVar("deadlines")
GRACE_S = 2.0  # a worker killed while it sends its result would block the executor, so none is killed at once


@dataclass(slots=True)
class _Task(Generic[Job, Done]):
    """A job in the window. No other one there has its `slot`; `future` is None where it's done in this process."""

    job: Job
    slot: int
    future: Future[Done] | None = None


class Pool(Generic[Job, Done]):
    """Runs `work` in processes, and makes `lost(job)` of a job that killed its process or took more than it may.

    That is `seconds`, and `memory` in bytes, which only Linux holds a process to. `work` must be importable by name,
    since processes are spawned: PDFium doesn't survive a fork.
    """

    def __init__(
        self,
        work: Callable[[Job], Done],
        lost: Callable[[Job], Done],
        *,
        workers: int,
        seconds: float = SECONDS,
        memory: int = MEMORY_BYTES,
    ) -> None:
        self._work = work
        self._lost = lost
        self._workers = max(1, workers)
        self._seconds = seconds
        self._memory = memory
        self._processes: _Processes | None = None

    def map(
        self, jobs: Iterable[Job], *, here: Callable[[Job], bool], ahead: int | None = None
    ) -> Generator[Done, None, None]:
        """Do the jobs and yield what they give, in their order; those that are cheap are done `here`, when due."""
        slots = AHEAD_PER_WORKER * self._workers
        size = min(ahead or slots, slots)
        waiting = enumerate(jobs)
        window: deque[_Task[Job, Done]] = deque()
        while True:
            for number, job in islice(waiting, size - len(window)):
                task = _Task[Job, Done](job, number % slots)
                task.future = None if here(job) else self._submit(task)
                window.append(task)
            if not window:
                return
            task = window[0]
            try:
                done = self._work(task.job) if task.future is None else task.future.result()
            except BrokenProcessPool:
                self._settle(window)
                continue
            window.popleft()
            yield done

    def close(self) -> None:
        """Stop the processes, those at work after GRACE_S."""
        if self._processes is not None:
            self._processes.stop()
            self._processes = None

    def _submit(self, task: _Task[Job, Done]) -> Future[Done]:
        if self._processes is None:
            self._processes = _Processes(self._workers)
        try:
            return self._processes.executor.submit(
                _watched, self._work, task.job, task.slot, self._seconds, self._memory
            )
        except BrokenProcessPool as error:
            broken: Future[Done] = Future()
            broken.set_exception(error)
            return broken

    def _settle(self, window: Iterable[_Task[Job, Done]]) -> None:
        """Do every job that went down with the pool again, one at a time: then only the culprit goes down twice.

        One whose time was up is the culprit, and would only take as long again.
        """
        down = [task for task in window if task.future and isinstance(task.future.exception(), BrokenProcessPool)]
        over = [self._processes is not None and self._processes.is_over(task.slot) for task in down]
        self.close()
        for task, is_over in zip(down, over, strict=True):
            task.future = self._lose(task.job) if is_over else self._alone(task)

    def _alone(self, task: _Task[Job, Done]) -> Future[Done]:
        future = self._submit(task)
        if not isinstance(future.exception(), BrokenProcessPool):
            return future
        self.close()
        self._check_alive()
        return self._lose(task.job)

    def _lose(self, job: Job) -> Future[Done]:
        settled: Future[Done] = Future()
        settled.set_result(self._lost(job))
        return settled

    def _check_alive(self) -> None:
        """Tell a job that kills processes from processes that don't even start. Raises SlmbatchError."""
        self._processes = _Processes(self._workers)
        try:
            self._processes.executor.submit(os.getpid).result()
        except BrokenProcessPool as error:
            self.close()
            raise SlmbatchError(
                "the processes that read files can't be started",
                "in a script of your own, keep what runs below: if __name__ == '__main__'",
            ) from error


class _Processes:
    """An executor, and the line it is held by: when this end closes, or this process dies, the workers exit."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._far_end, self._line = context.Pipe(duplex=False)
        self._deadlines = context.RawArray(c_double, AHEAD_PER_WORKER * workers)  # a lock might die with a worker
        to_begin = self._far_end, self._deadlines
        self.executor = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=to_begin)

    def is_over(self, slot: int) -> bool:
        """Say whether a job that was begun and not finished has had its time; all processes have one such clock."""
        return 0 < self._deadlines[slot] <= time.monotonic()

    def stop(self) -> None:
        """Drop what waits and let the workers finish, or cut the line when they take too long."""
        if sys.is_finalizing():  # the executor has ended before, and the timer's thread would never start
            self._line.close()
            return
        impatience = threading.Timer(GRACE_S, self._line.close)
        impatience.start()
        self.executor.shutdown(wait=True, cancel_futures=True)
        impatience.cancel()
        self._line.close()
        self._far_end.close()


def _begin(line: Connection, deadlines: Array[c_double]) -> None:
    """Prepare a worker: Ctrl-C is the parent's to handle, and no worker outlives it, even when it is killed.

    Libraries of linear algebra start a thread for each core when they are loaded, and take up to 140 MB for each: on
    large machines that alone would be more than MEMORY_BYTES. Jobs run in several processes anyway.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _deadlines.set(deadlines)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait([line])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def still_at_work() -> None:
    """Let the time that this process's job may take begin anew, after a part of the job that may be one of many."""
    _begin_anew.get()()


def _watched(work: Callable[[Job], Done], job: Job, slot: int, seconds: float, memory: int) -> Done:
    """Do a job in a worker that exits when it takes too much: nothing else stops a loop in a C library.

    Where memory is short, any library may be left half loaded: the next job gets a new process.
    """
    with open(os.devnull, "w") as nowhere:

        def begin() -> None:
            _deadlines.get()[slot] = time.monotonic() + seconds
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)

        begin()
        token = _begin_anew.set(begin)
        try:
            with _bounded(memory):
                return work(job)
        except MemoryError:
            os._exit(1)
        finally:
            _begin_anew.reset(token)
            faulthandler.cancel_dump_traceback_later()
            _deadlines.get()[slot] = 0


@contextmanager
def _bounded(memory: int) -> Iterator[None]:
    """Let this process take so many bytes more than it has, where that can be told and held: on Linux."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (used + memory, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
