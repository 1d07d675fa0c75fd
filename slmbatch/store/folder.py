"""The output folder's layout, its lock, and files that are written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slmbatch.errors import RunFolderError


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one pass over documents keeps what it settles: its parts, and who the rows are that it has read."""

    parts: Path
    rows: Path


class RunFolder:
    """Where everything of a run lies. Holds the lock from `claim` until `release`, or until the process ends."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".slmbatch"
        self.manifest = self.state / "manifest.json"
        self.parts = self.state / "parts"
        self.certify = self.state / "certify"
        self.sessions = self.state / "sessions"
        self.rows = self.state / "rows.parquet"
        self.logs = self.state / "logs"
        self.ledger = self.state / "ledger.sqlite"
        self._lock: IO[bytes] | None = None

    def claim(self) -> None:
        """Make the folder ours. Raises RunFolderError when it holds something else, or another run is at work in it."""
        if self.root.exists() and not self.root.is_dir():
            raise RunFolderError(f"{self.root}: is a file, not a folder.", "Give another path to -o.")
        if self.root.is_dir() and any(self.root.iterdir()) and not self.state.is_dir():
            remedy = "Give -o a new or empty folder."
            raise RunFolderError(f"{self.root}: holds files that are not from slmbatch.", remedy)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            self._lock = (self.state / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunFolderError(f"{self.root}: another slmbatch is at work in it.", "Wait for it to end.") from error
        except OSError as error:
            raise RunFolderError(f"{self.root}: can't be written ({error.strerror}).", "Give another path.") from error
        for folder in (self.parts, self.sessions, self.logs):
            folder.mkdir(exist_ok=True)

    @property
    def main(self) -> Stage:
        """The pass of an ordinary run: its parts are the results."""
        return Stage(self.parts, self.rows)

    def stage(self, name: str, *, rows: Path | None = None) -> Stage:
        """One pass of a certified run: its parts are not the results yet. `rows` is where the rows are kept."""
        return Stage(self.certify / name, rows or self.certify / f"{name}-rows.parquet")

    @property
    def again(self) -> Stage:
        """The pass in which a certified run asks its last tier a second time."""
        return self.stage("again")

    def settled(self) -> bool:
        """Whether there is any answer in this folder."""
        return any(any(parts.iterdir()) for parts in (self.parts, *_folders(self.certify)))

    def clear(self) -> None:
        """Remove what runs have left: the tables and our state; the manifest last. What was paid for stays: the ledger.

        A kill in between leaves answers only together with the manifest that says to which question.
        """
        for name in TABLES:
            (self.root / name).unlink(missing_ok=True)
        if self.certify.exists():
            for path in self.certify.iterdir():  # first what was frozen: it mustn't outlive the answers it was made of
                if path.is_file():
                    path.unlink()
            shutil.rmtree(self.certify)
        for path in (*self.parts.iterdir(), *self.sessions.iterdir(), self.rows, self.manifest):
            path.unlink(missing_ok=True)

    @contextmanager
    def claimed(self) -> Iterator[RunFolder]:
        """Hold the folder for the time of a `with` block."""
        self.claim()
        try:
            yield self
        finally:
            self.release()

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []


DONE = "report.json"  # written last: a folder without it holds an unfinished run
PAGE = "report.html"
EVALUATION, EVALUATION_PAGE = "eval.parquet", "eval.html"
CERTIFICATE = "certificate.json"
TABLES = (DONE, PAGE, CERTIFICATE, EVALUATION, EVALUATION_PAGE, "results.parquet", "fields.parquet", "cost.parquet")


def write_durably(path: Path, content: bytes) -> None:
    """Write under a temporary name, flush to disk, rename."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    publish(temporary, path)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name, and make the name durable."""
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def flush(path: Path) -> None:
    """Force a written file to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
