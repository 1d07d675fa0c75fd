"""Ways to break a file: what disks, networks, bad programs and people who mean harm do to one."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable, Sequence

from tests.readers.made import zipped

MOST_BYTES = 2**20  # of a broken file: repeating a chunk makes large ones
_NUMBERS = (b"0", b"-1", b"1", b"2147483647", b"4294967296", b"99999999999999999999", b"1e999", b"0.0000001", b"NaN")
_INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TOKENS = (
    b"<<",
    b">>",
    b"<",
    b"</",
    b"/>",
    b"&amp;",
    b"<!DOCTYPE a>",
    b"\0",
    b"\xff\xfe",
    b'"',
    b"\n",
    b"\r",
    b"%",
    b"[",
)
_TOKENS += (
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b"obj",
    b"endobj",
    b"stream",
    b"PK\3\4",
    b"=?utf-8?B?",
    b"\xf0\x9f",
    b"--",
    b"*a",
)

Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def broken(rng: random.Random, files: Sequence[bytes]) -> bytes:
    """Break one of some whole files of a kind, in one to four ways."""
    data = rng.choice(files)
    for _ in range(rng.choice((1, 1, 2, 4))):
        packed = data[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(data))
        data = (rng.choice((_in_archive, rng.choice(CHANGES))) if packed else rng.choice(CHANGES))(rng, data, files)
    return data[:MOST_BYTES]


def _stretch(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Choose where a stretch starts and ends, short ones oftener."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randrange(2 ** rng.randrange(1, 14)))


def _flip(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), rng.choice((1, 1, 4, 16, 200)))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut_off(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _leave_out(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    start, end = _stretch(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    start, end = _stretch(rng, data)
    times = min(rng.choice((2, 10, 1000, 100_000)), MOST_BYTES // max(1, end - start))
    return data[:start] + data[start:end] * times + data[end:]


def _splice(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    other = rng.choice(files)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def _copy_within(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    start, end = _stretch(rng, data)
    place = rng.randrange(len(data) + 1)
    return data[:place] + data[start:end] + data[place + end - start :]


def _number(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    written = list(re.finditer(rb"\d+", data[:MOST_BYTES]))
    if not written:
        return _integer(rng, data, files)
    start, end = rng.choice(written).span()
    return data[:start] + rng.choice(_NUMBERS) + data[end:]


def _integer(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    size = rng.choice((1, 2, 4))
    value = (rng.choice(_INTEGERS) % 256**size).to_bytes(size, rng.choice(("little", "big")))
    place = rng.randrange(len(data) + 1)
    return data[:place] + value + data[place + size :]


def _insert(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_TOKENS) * rng.choice((1, 1, 3, 1000, 50_000)) + data[place:]


def _in_archive(rng: random.Random, data: bytes, files: Sequence[bytes]) -> bytes:
    """Break, leave out or exchange a file in a zip archive, Office files among them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # broken already
        inside = {}
    if not inside:
        return _flip(rng, data, files)
    name, other = rng.choice(list(inside)), rng.choice(list(inside))
    match rng.randrange(8):
        case 0:
            del inside[name]
        case 1:
            inside[name] = inside[other]
        case _:
            inside[name] = rng.choice(CHANGES)(rng, inside[name], [inside[other] or b"x"])
    return zipped(inside)


CHANGES: tuple[Change, ...] = (
    _flip, _cut_off, _leave_out, _repeat, _splice, _copy_within, _number, _integer, _insert,
)  # fmt: skip
