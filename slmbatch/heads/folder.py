"""A head on disk: `head.json` (what it is, settings, card) and `weights.npz`. No pickle: loading one runs no code."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from slmbatch.errors import ConfigError, ModelError

FORMAT = 1
DESCRIPTION, WEIGHTS = "head.json", "weights.npz"
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A head's content: its kind (`labels` or `fields`), settings and card as JSON values, arrays by name."""

    kind: str
    settings: Mapping[str, Any]
    card: Mapping[str, Any]
    arrays: Mapping[str, Array]
    sha256: str


def save_head(
    folder: Path, kind: str, *, settings: Mapping[str, Any], card: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Write a head. Weights first, the description last: a folder without it is no head."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    weights = folder / WEIGHTS
    with weights.with_suffix(".tmp").open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))
        _flush(file.fileno())
    weights.with_suffix(".tmp").replace(weights)
    content = {
        "format": FORMAT,
        "kind": kind,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "settings": settings,
        "card": card,
    }
    with (folder / (DESCRIPTION + ".tmp")).open("w", encoding="utf-8") as text:
        json.dump(content, text, indent=1, ensure_ascii=False)
        _flush(text.fileno())
    (folder / (DESCRIPTION + ".tmp")).replace(folder / DESCRIPTION)


def load_head(folder: Path) -> Stored:
    """Read a head. Raises ConfigError when there is none, ModelError when it's damaged or of a newer version."""
    train = "Make one with `slmbatch train`, and give its folder as head:PATH."
    try:
        described = (folder / DESCRIPTION).read_bytes()
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ConfigError(f"{folder}: not a head ({error.strerror}: {Path(error.filename).name}).", train) from error
    try:
        content = json.loads(described)
        if content["format"] != FORMAT:
            raise ModelError(f"{folder}: a head of format {content['format']}; this version reads {FORMAT}.", train)
        if hashlib.sha256(weights).hexdigest() != content["weights_sha256"]:
            raise ModelError(f"{folder}: {WEIGHTS} has been changed since it was written.", train)
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            taken = {name: arrays[name] for name in arrays.files}
        sha256 = hashlib.sha256(described).hexdigest()
        return Stored(content["kind"], content["settings"], content["card"], taken, sha256)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{folder}: {DESCRIPTION} or {WEIGHTS} is damaged: {error}", train) from error


def _flush(descriptor: int) -> None:
    os.fsync(descriptor)
