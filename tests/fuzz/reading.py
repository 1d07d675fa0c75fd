"""Broken files through the readers, and what of it shouldn't have happened."""

from __future__ import annotations

import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slmbatch.errors import SlmbatchError
from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.gold import read_gold
from slmbatch.readers.read import FAILED, LOST
from slmbatch.readers.sources import KINDS, TABLES
from slmbatch.run.config import load_config
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema_files import load_schema

from .mutate import broken
from .whole import whole

DIGITS = 6  # of a file's number, which is its name
SHOWN_CALLS = 6  # of a traceback: one of endless nesting is long
SLOW_S = 60.0  # for one file of at most a MiB
BLIND = """
class RapidOCR:
    txts = None
    def __init__(self, params): pass
    def __call__(self, pixels): return self
"""
_OWN: dict[str, Callable[[Path], object]] = {
    ".gold": read_gold,
    ".labels": lambda path: load_labels(str(path)),
    ".schema": lambda path: load_schema(str(path)),
    ".config": load_config,
}


@dataclass(slots=True)
class Seen:
    """What became of a batch: documents, those with a text, refused files that a run needs.

    `findings` are what shouldn't have happened, by file name, and `slow` what took more than SLOW_S.
    """

    documents: int = 0
    readable: int = 0
    refused: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)
    slow: list[tuple[str, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_bytes: int = 0


def write(folder: Path, numbers: Iterable[int], seed: int) -> None:
    """Write broken files, all kinds in turn; how one is broken depends on `seed` and its number only."""
    kinds = list(whole())
    for number in numbers:
        suffix = kinds[number % len(kinds)]
        data = broken(random.Random(f"{seed} {number}"), whole()[suffix])
        (folder / f"{number:0{DIGITS}}{suffix}").write_bytes(data)


def read_all(folder: Path, *, workers: int) -> Seen:
    """Read a folder of broken files; a table and what a user writes each on its own, as it may end a run by itself."""
    seen = Seen()
    others: list[Path] = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if len(path.suffixes) == 2:
            _watched([path], seen, lambda path=path: _OWN[path.suffixes[0]](path))
        elif KINDS[path.suffix] in TABLES:
            _watched([path], seen, lambda path=path: _read([path], seen, workers))
        else:
            others.append(path)
    if others:
        _watched(others, seen, lambda: _read(others, seen, workers))
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    seen.peak_bytes = max(resource.getrusage(one).ru_maxrss for one in who) * 1024
    return seen


def read_blindly(folder: Path, *, workers: int) -> Seen:
    """Read all with an OCR that finds nothing, here and in the workers: pages are drawn and images opened for it."""
    stand_in = folder / ".blind"
    stand_in.mkdir()
    (stand_in / "rapidocr.py").write_text(BLIND)
    sys.path.insert(0, str(stand_in))
    try:
        return read_all(folder, workers=workers)
    finally:
        sys.path.remove(str(stand_in))


def _watched(paths: Sequence[Path], seen: Seen, work: Callable[[], object]) -> None:
    """Do the work. What is read alone may be refused by one of our own errors; documents never end a run."""
    alone, started = len(paths) == 1, time.monotonic()
    try:
        work()
    except BaseException as error:  # a Rust library's panic is no Exception
        if alone and isinstance(error, SlmbatchError):
            seen.refused += 1
        else:
            seen.findings.append((paths[0].name, f"one of {len(paths)}\n{traceback.format_exc(limit=-SHOWN_CALLS)}"))
    if alone:
        _timed(paths[0].name, seen, time.monotonic() - started)


def _read(paths: Sequence[Path], seen: Seen, workers: int) -> None:
    attachments = random.Random(paths[0].name).choice(("inside", "apart"))
    options = ReadOptions(workers=workers, attachments=attachments)
    started = time.monotonic()
    for documents in read(find([str(path) for path in paths]), options):
        for document in documents:
            seen.documents += 1
            seen.readable += document.problem is None
            if document.problem and (FAILED in document.problem or LOST in document.problem):
                seen.findings.append((document.id, document.problem))
        if len(paths) > 1:
            _timed(documents[0].id, seen, time.monotonic() - started)
            started = time.monotonic()


def _timed(name: str, seen: Seen, seconds: float) -> None:
    seen.slowest_s = max(seen.slowest_s, seconds)
    if seconds > SLOW_S:
        seen.slow.append((name, f"took {seconds:.0f} s"))
