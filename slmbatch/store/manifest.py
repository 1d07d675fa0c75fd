"""The manifest: which question this folder answers, so that a rerun resumes it and another question is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias
from uuid import uuid4

from slmbatch import __version__
from slmbatch.errors import RunFolderError
from slmbatch.store.folder import RunFolder, write_durably

FORMAT = 5  # raised with every change of the parts' columns
Settings: TypeAlias = Mapping[str, str | list[str]]


def open_manifest(folder: RunFolder, settings: Settings) -> str:
    """Write the manifest of a new run, or compare it with the one that's there; returns the run's id.

    A run that has settled nothing takes new settings: a mistyped option mustn't stand in the way of the right one. Its
    id stays, and with it what it has spent. Raises RunFolderError naming every key that differs.
    """
    wanted = {"format": FORMAT, "settings": dict(settings)}
    settled = folder.settled()
    if settled and not folder.manifest.exists():
        raise _damaged(folder)  # answers, and nothing that says to which question
    if not settled:
        run = _run(read_manifest(folder)) if folder.manifest.exists() else uuid4().hex
        content = json.dumps({"slmbatch": __version__, "run": run, **wanted}, indent=2)  # ASCII: paths hold any byte
        write_durably(folder.manifest, content.encode())
        return run
    found = read_manifest(folder)
    old = found["settings"]
    assert isinstance(old, dict)
    if found.get("format") != FORMAT:
        raise RunFolderError(
            f"{folder.root}: written in format {found.get('format')} by slmbatch {found.get('slmbatch')}; this version "
            f"goes on with runs of format {FORMAT} only.",
            "Go on with that version, give -o another folder, or pass --overwrite to start over.",
        )
    differing = [key for key in {**old, **settings} if old.get(key) != settings.get(key)]
    if differing:
        raise RunFolderError(
            f"{folder.root}: holds a run with other settings; differing: {', '.join(differing)}.",
            "Give -o another folder, use the same settings, or pass --overwrite to start over.",
        )
    return _run(found)


def run_id(folder: RunFolder) -> str:
    """Return the id of the run in this folder."""
    return _run(read_manifest(folder))


def _run(manifest: Mapping[str, object]) -> str:
    return str(manifest.get("run", ""))  # runs begun by earlier versions have none


def read_manifest(folder: RunFolder) -> dict[str, object]:
    """Return the manifest. Raises RunFolderError when there is none or it's damaged."""
    try:
        content = json.loads(folder.manifest.read_bytes())
    except OSError as error:
        raise RunFolderError(f"{folder.root}: no run of slmbatch.", "Give the folder that -o named.") from error
    except ValueError as error:
        raise _damaged(folder) from error
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise _damaged(folder)
    return content


def _damaged(folder: RunFolder) -> RunFolderError:
    return RunFolderError(f"{folder.manifest}: damaged.", "Start over with --overwrite.")
