"""Why a local server ended, told from how its process ended and from the end of its log.

The log's words are the only place where servers say it: they are matched here and nowhere else.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

NO_MEMORY = (
    "CUDA out of memory",  # torch
    "OutOfMemoryError",
    "DefaultCPUAllocator: can't allocate memory",
    "No available memory for the cache blocks",  # vLLM, when it starts
    "less than desired GPU memory utilization",
    "less than requested memory",
    "larger than the available KV cache memory",
    "unable to allocate",  # llama.cpp
    "failed to allocate",
    "std::bad_alloc",
    "MemoryError",
)
CORE_DIED = ("engine core exited unexpectedly", "EngineDeadError", "Engine core initialization failed")
FEWER = "Give it less to hold: a smaller model, context_tokens or slots."


@dataclass(frozen=True, slots=True)
class Ending:
    """What happened, to be put into brackets, and what to do about it, if that is known."""

    what: str
    remedy: str = ""


def ending(code: int | None, log: str, *, hung: bool) -> Ending:
    """Tell a hang (we killed it), memory that ran out, and any other death apart.

    `code` is the exit code, negative for a signal, None while the process runs; `log` what it has logged last.
    """
    if hung:
        return Ending("it hung: it answered nothing in time and was killed", "Raise timeout_s if it is only slow.")
    if any(words in log for words in NO_MEMORY):
        return Ending(f"it ran out of memory, {_exit(code)}", FEWER)
    if code == -signal.SIGKILL:
        return Ending("killed from outside with signal 9, as the system does when memory runs out", FEWER)
    if any(words in log for words in CORE_DIED):
        return Ending(f"its engine process died, {_exit(code)}")
    return Ending(_exit(code))


def _exit(code: int | None) -> str:
    if code is None:
        return "still running"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
