"""What the C library does with freed memory: glibc keeps it, for each thread apart, until it's told otherwise."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def share_memory() -> None:
    """Let all threads take memory from one place. A sentence model's threads would keep about 50 MB of their own."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_ARENA_MAX, 1)


def give_memory_back() -> None:
    """Return freed memory to the system."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
