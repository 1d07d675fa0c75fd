"""Break files at random and read them: python -m tests.fuzz --files 10000 --seed 1. Exits with 1 on a finding.

Each batch of files is read by a process of its own, so that one that dies is a finding too. Files with findings are
kept in the system's folder for temporary files: the same seed breaks files in the same ways, but whole ones have dates
and random marks in them. `--only NUMBER` makes one file of a seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .reading import DIGITS, Seen, read_all, read_blindly, write

BATCH = 200
PARENT_BYTES = 2**31  # for the process that reads tables and texts, and starts the workers


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--files", type=int, default=10_000)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", type=int)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--ocr", action="store_true", help="recognise texts too: about a second for each picture")
    given = asked.parse_args()
    if given.only is not None:
        write(Path(), [given.only], given.seed)
        return 0
    started = time.monotonic()
    total = Seen()
    wanted = range(given.first, given.first + given.files)
    for numbers in (wanted[start : start + BATCH] for start in range(0, given.files, BATCH)):
        seen = _batch(numbers, given.seed, given.workers, given.ocr)
        for name, what in seen.findings:
            print(f"{name}: {what}", flush=True)
        total.documents += seen.documents
        total.readable += seen.readable
        total.refused += seen.refused
        total.findings += seen.findings
        total.slowest_s = max(total.slowest_s, seen.slowest_s)
        total.peak_bytes = max(total.peak_bytes, seen.peak_bytes)
        print(f"{numbers[-1] + 1} files, {_told(seen)}", file=sys.stderr, flush=True)
    print(f"{given.files} files, seed {given.seed}, {time.monotonic() - started:.0f} s: {_told(total)}")
    return 1 if total.findings else 0


def _batch(numbers: Sequence[int], seed: int, workers: int, ocr: bool) -> Seen:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), numbers, seed)
        spawn, bounds = multiprocessing.get_context("spawn"), (resource.RLIMIT_DATA, (PARENT_BYTES, -1))
        with ProcessPoolExecutor(1, spawn, resource.setrlimit, bounds) as apart:
            try:
                seen = apart.submit(read_all if ocr else read_blindly, Path(name), workers=workers).result()
            except BrokenProcessPool:
                seen = Seen(findings=[("", f"the process that read {numbers[0]} to {numbers[-1]} died")])
        seen.findings += seen.slow
        for found, _ in seen.findings:
            _keep(sorted(Path(name).glob(f"{found[:DIGITS]}*.*")), seed)
        return seen


def _keep(files: Sequence[Path], seed: int) -> None:
    folder = Path(tempfile.gettempdir()) / f"slmbatch-fuzz-{seed}"
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, folder)


def _told(seen: Seen) -> str:
    return (
        f"{seen.documents} documents, {seen.readable} with a text, {seen.refused} files refused, slowest "
        f"{seen.slowest_s:.1f} s, largest process {seen.peak_bytes / 2**20:.0f} MiB, {len(seen.findings)} findings"
    )


if __name__ == "__main__":
    sys.exit(main())
