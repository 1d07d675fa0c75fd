"""Finds the files a run reads: files, folders, globs and zip archives, each file once and under a name of its own.

Looks at names only; whether a file can be read is found out later.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from slmbatch.errors import InputError
from slmbatch.readers.archive import members
from slmbatch.readers.sources import KINDS, Found, Source, Unreadable


@dataclass(frozen=True, slots=True)
class _Match:
    """A file below the folder it was found from."""

    path: Path
    root: Path

    def names(self) -> tuple[str, str, str]:
        """Possible names, shortest first. No two files share the last one: it is the path as the user spelled it."""
        name = self.path.relative_to(self.root).as_posix()
        return name, f"{Path(os.path.abspath(self.root)).name}/{name}", self.path.as_posix()


def find(inputs: Sequence[str]) -> Found:
    """Find the files behind paths, folders and globs, in the order given and sorted within each.

    Folders are searched to any depth; hidden files and folders are passed over, and a file found twice counts once.
    Raises InputError when an input doesn't exist, a glob matches nothing, or no file is of a known kind.
    """
    real_folder = cache(os.path.realpath)
    matches: dict[str, _Match] = {}
    for given in inputs:
        for match in _matches(given):
            matches.setdefault(os.path.join(real_folder(match.path.parent), match.path.name), match)
    readable: list[_Match] = []
    skipped: list[Path] = []
    for match in matches.values():
        if _is_readable(match.path):
            readable.append(match)
        else:
            skipped.append(match.path)
    skipped.sort()
    if not readable:
        raise InputError(_nothing_readable(inputs, skipped), f"files that can be read end in {' '.join(KINDS)}")
    beside = _beside([match.path for match in readable])
    readable = [match for match in readable if match.path not in beside.values()]
    sources: list[Source] = []
    for match, name in zip(readable, _unique_names(readable), strict=True):
        kind = KINDS[match.path.suffix.lower()]
        if kind == "zip":
            inner, unknown = _in_archive(match.path, name)
            sources += inner
            skipped += unknown
        else:
            sources.append(Source(match.path, name, kind, beside=beside.get(match.path)))
    if not sources:
        raise InputError(_nothing_readable(inputs, skipped), f"files that can be read end in {' '.join(KINDS)}")
    return Found(tuple(sources), tuple(skipped))


def _in_archive(path: Path, name: str) -> tuple[list[Source], list[Path]]:
    """Find the files of an archive as if it were a folder; one that can't be listed, or is empty, is a file itself."""
    try:
        files = members(path)
    except (Unreadable, OSError):  # why is said when it's read
        files = []
    if not files:
        return [Source(path, name, "zip")], []
    sources = [Source(path, f"{name}/{one.name}", one.kind, one.position) for one in files if one.kind is not None]
    return sources, [path / one.name for one in files if one.kind is None]


def _beside(paths: Sequence[Path]) -> dict[Path, Path]:
    """Pair PDFs with the XML files of the same path but for the suffix: the e-invoice that belongs to the picture."""
    xmls = {path.with_suffix(""): path for path in paths if KINDS[path.suffix.lower()] == "xml"}
    pdfs = {path.with_suffix(""): path for path in paths if KINDS[path.suffix.lower()] == "pdf"}
    return {pdf: xmls[stem] for stem, pdf in pdfs.items() if stem in xmls}


def _matches(given: str) -> Iterator[_Match]:
    path = Path(given)
    if path.is_dir():
        yield from _below(path, root=path)
    elif os.path.lexists(path):
        yield _Match(path, path.parent)
    elif glob.has_magic(given):
        yield from _globbed(given)
    else:
        raise InputError(
            f"{given}: no such file or folder", "check the path; relative paths start at the current folder"
        )


def _globbed(pattern: str) -> Iterator[_Match]:
    hits = sorted(glob.glob(pattern, recursive=True))
    if not hits:
        raise InputError(
            f"{pattern}: no file matches this pattern", "check the path; ** stands for folders of any depth"
        )
    root = Path(pattern)
    while glob.has_magic(str(root)):
        root = root.parent
    for hit in map(Path, hits):
        if hit.is_dir():
            yield from _below(hit, root=root)
        else:
            yield _Match(hit, root)


def _below(folder: Path, *, root: Path) -> Iterator[_Match]:
    """Walk a folder, links to folders included; one that was entered already is not entered again (loops end).

    Output folders of slmbatch are passed over.
    """
    entered = {os.path.realpath(folder)}
    files: list[Path] = []
    for here, folders, names in os.walk(folder, followlinks=True, onerror=_cannot_list):
        if ".slmbatch" in folders:  # what an earlier run has written is no input
            folders[:] = []
            continue
        fresh = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(here, name))
            if not name.startswith(".") and real not in entered:
                entered.add(real)
                fresh.append(name)
        folders[:] = fresh
        files += [Path(here, name) for name in names if not name.startswith(".")]
    for path in sorted(files, key=lambda path: path.parts):
        yield _Match(path, root)


def _cannot_list(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: the folder can't be listed ({error.strerror})",
        "give this user the right to read it, or leave it out of the input",
    ) from error


def _is_readable(path: Path) -> bool:
    """Tell whether the kind is known. Pipes are left out; dangling links stay in, as files with a problem."""
    return path.suffix.lower() in KINDS and (path.is_file() or not path.exists())


def _unique_names(matches: Sequence[_Match]) -> list[str]:
    """Give each file its shortest name; files that would share one get the next longer."""
    names = [match.names() for match in matches]
    lengths = [0] * len(matches)
    while True:
        chosen = [options[length] for options, length in zip(names, lengths, strict=True)]
        uses = Counter(chosen)
        shared = [i for i, name in enumerate(chosen) if uses[name] > 1 and lengths[i] < 2]
        if not shared:
            return chosen
        for i in shared:
            lengths[i] += 1


def _nothing_readable(inputs: Sequence[str], skipped: Sequence[Path]) -> str:
    where = ", ".join(inputs) or "no input was given"
    if not skipped:
        return f"{where}: there are no files"
    suffixes = Counter(path.suffix.lower() or "no suffix" for path in skipped)
    kinds = ", ".join(f"{suffix} ({number})" for suffix, number in suffixes.most_common(5))
    return f"{where}: none of {len(skipped)} files can be read: {kinds}"
