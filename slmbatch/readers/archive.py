"""Zip archives: which files lie in one, under names that are safe and unique, and the bytes of each.

Nothing is ever unpacked to disk, so names can't lead anywhere; sizes are bounded by what the archive says of them,
which zipfile holds each file to.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from stat import S_ISLNK

from slmbatch.readers.sources import KINDS, Content, Unreadable

MAX_MEMBER_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 2**30  # together: beyond this only what was packed no better than texts are, 1 to MAX_RATIO
MAX_RATIO = 100

_UTF8, _ENCRYPTED = 0x800, 0x1
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    LookupError,
    struct.error,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its position there, a name like `folder/file.pdf`, and its kind if it can be read."""

    position: int
    name: str
    kind: str | None


def members(content: Content) -> list[Member]:
    """List the files of an archive, sorted by name; hidden ones are passed over, as in folders.

    Raises Unreadable for what isn't a zip archive or would unpack to far too much, OSError for what can't be read.
    """
    with closing(_open(content)) as archive:
        infos = archive.infolist()
    packed = content.stat().st_size if isinstance(content, Path) else len(content)
    total = sum(info.file_size for info in infos)
    if total > max(MAX_TOTAL_BYTES, MAX_RATIO * packed):
        times = total // packed
        raise Unreadable(f"the archive would unpack to {total} bytes, {times} times its size; unpack it yourself")
    names = unique_names([_name(info) for info in infos])
    files = [
        Member(position, name, KINDS.get(PurePosixPath(name).suffix.lower()))
        for position, (info, name) in enumerate(zip(infos, names, strict=True))
        if not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    return sorted(files, key=lambda member: member.name.split("/"))


def read_member(content: Content, position: int) -> bytes:
    """Unpack one file. Raises Unreadable, with what to do, and OSError."""
    archive = _kept_open(content, content.stat().st_mtime_ns) if isinstance(content, Path) else _open(content)
    try:
        info = archive.infolist()[position]
        if S_ISLNK(info.external_attr >> 16):
            raise Unreadable("a link to another file, which isn't followed")
        if info.flag_bits & _ENCRYPTED:
            raise Unreadable("encrypted in its archive; unpack it with its password and run again")
        if info.file_size > MAX_MEMBER_BYTES:
            raise Unreadable(f"{info.file_size} bytes in its archive, more than {MAX_MEMBER_BYTES}; unpack it yourself")
        return archive.read(info)
    except NotImplementedError as error:
        raise Unreadable(f"packed in a way that isn't known here ({error}); unpack it yourself") from error
    except (*_DAMAGED, RuntimeError) as error:
        raise Unreadable(f"damaged in its archive ({error})") from error
    finally:
        if not isinstance(content, Path):
            archive.close()


def unique_names(names: Sequence[str]) -> list[str]:
    """Number the names that are taken: `a.pdf`, `a~2.pdf`. The first of each name keeps it."""
    taken = set(names)
    seen: set[str] = set()
    numbers: dict[str, int] = {}  # counting from 1 for each of 20,000 equal names would take minutes
    unique: list[str] = []
    for name in names:
        chosen, number = name, numbers.get(name, 1)
        while chosen in seen or (number > 1 and chosen in taken):
            number += 1
            path = PurePosixPath(name)
            chosen = str(path.with_name(f"{path.stem}~{number}{path.suffix}"))
        numbers[name] = number
        seen.add(chosen)
        unique.append(chosen)
    return unique


def safe_name(name: str) -> str:
    """Make a name without drives, leading slashes and steps upwards; `file` where nothing is left."""
    parts = name.replace("\\", "/").replace("\0", "").split("/")
    kept = [part.strip() for part in parts if part.strip() not in {"", ".", ".."} and not part.endswith(":")]
    return "/".join(kept) or "file"


@lru_cache(maxsize=1)
def _kept_open(path: Path, changed: int) -> zipfile.ZipFile:  # noqa: ARG001  another file under the same name
    """Open an archive once for all of its files that this process reads: with 10,000 of them it takes a while."""
    return _open(path)


def _open(content: Content) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(content if isinstance(content, Path) else io.BytesIO(content))
    except (*_DAMAGED, NotImplementedError) as error:
        raise Unreadable(f"not a zip archive, or a damaged one ({error})") from error


def _name(info: zipfile.ZipInfo) -> str:
    """Read a member's name: UTF-8 where that is declared or can be, else the code page of DOS."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return safe_name(name)
