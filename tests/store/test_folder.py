"""The output folder: whose it is, who is at work in it, and what may be removed from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from slmbatch.errors import RunFolderError
from slmbatch.store.folder import RunFolder, write_durably
from slmbatch.store.manifest import FORMAT, open_manifest, read_manifest
from slmbatch.store.parts import PartStore
from slmbatch.store.records import PART

from .made import settled


def claimed(root: Path, *, overwrite: bool = False) -> RunFolder:
    folder = RunFolder(root)
    folder.claim()
    if overwrite:
        folder.clear()
    return folder


def with_results(root: Path, **settings: str | list[str]) -> RunFolder:
    """A claimed folder in which a result was settled under these settings."""
    folder = claimed(root)
    open_manifest(folder, settings)
    store = PartStore(folder.parts)
    store.settle(settled(1))
    store.commit()
    return folder


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder = claimed(tmp_path / "a" / "b")
    assert sorted(path.name for path in folder.state.iterdir()) == ["lock", "logs", "parts", "sessions"]
    folder.release()


def test_a_folder_with_files_of_others_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RunFolderError, match="holds files that are not from slmbatch"):
            claimed(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunFolderError, match="is a file"):
        claimed(tmp_path / "out")
    with pytest.raises(RunFolderError, match="can't be written"):
        claimed(tmp_path / "out" / "inner")


def test_a_second_run_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from slmbatch.store.folder import RunFolder\n"
        "folder = RunFolder(Path(sys.argv[1])); folder.claim(); print('mine', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        folder = RunFolder(tmp_path)
        with pytest.raises(RunFolderError, match="another slmbatch is at work in it"):
            folder.claim()
        folder.release()
        other.kill()
    claimed(tmp_path).release()


def test_overwrite_removes_our_files_and_nothing_else(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    ours = ["results.parquet", "fields.parquet", "cost.parquet", "report.json", "report.html"]
    for name in [*ours, "notes.txt", "mine.parquet"]:
        (tmp_path / name).write_text(name)
    (folder.parts / "part-000000.parquet").write_text("x")
    folder.manifest.write_text("{}")
    folder.rows.write_text("x")
    folder.release()
    folder = claimed(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".slmbatch", "mine.parquet", "notes.txt"]
    assert sorted(path.name for path in folder.state.iterdir()) == ["lock", "logs", "parts", "sessions"]
    assert list(folder.parts.iterdir()) == []
    folder.release()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_durably(path, b"old")
    path.with_name("a.json.tmp").mkdir()  # nothing can be written under the temporary name
    with pytest.raises(IsADirectoryError):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="can't be written"):
        claimed(tmp_path / "out")


def test_the_same_settings_are_the_same_run(tmp_path: Path) -> None:
    settings: dict[str, str | list[str]] = {"task": "classify", "tiers": ["openai:m"], "threshold": "0.8"}
    folder = with_results(tmp_path, **settings)
    before = folder.manifest.read_bytes()
    open_manifest(folder, dict(reversed(settings.items())))
    assert folder.manifest.read_bytes() == before
    assert read_manifest(folder)["settings"] == settings
    folder.release()


def test_other_settings_are_refused_naming_every_key_that_differs(tmp_path: Path) -> None:
    folder = with_results(tmp_path, task="classify", tiers=["openai:m"], threshold="0.8", gone="x")
    with pytest.raises(RunFolderError) as caught:
        open_manifest(folder, {"task": "classify", "tiers": ["openai:m", "openai:n"], "threshold": "0.9", "new": "y"})
    differing = caught.value.message.partition("differing: ")[2].rstrip(".").split(", ")
    assert sorted(differing) == ["gone", "new", "threshold", "tiers"]
    assert "--overwrite" in caught.value.remedy
    folder.release()


def test_a_run_that_has_settled_nothing_does_not_stand_in_the_way_of_another(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    open_manifest(folder, {"text_column": "txet"})
    open_manifest(folder, {"text_column": "text"})
    assert read_manifest(folder)["settings"] == {"text_column": "text"}
    folder.release()


def test_answers_without_a_manifest_are_never_taken_for_another_question(tmp_path: Path) -> None:
    folder = with_results(tmp_path, task="classify")
    folder.manifest.unlink()
    with pytest.raises(RunFolderError, match="damaged"):
        open_manifest(folder, {"task": "classify"})
    folder.clear()
    open_manifest(folder, {"task": "extract"})
    folder.release()


def test_a_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = with_results(tmp_path)
    folder.manifest.write_text(json.dumps({"slmbatch": "99", "format": 99, "settings": {"task": "classify"}}))
    with pytest.raises(RunFolderError, match="written in format 99 by slmbatch 99"):
        open_manifest(folder, {"task": "classify"})
    folder.release()


def test_another_format_is_told_for_other_columns_of_the_parts() -> None:
    """Parts of both can't be put together: raise FORMAT with PART, then write what this finds."""
    columns = "\n".join(f"{member.name}: {member.type}" for member in PART)
    assert (FORMAT, sha256(columns.encode()).hexdigest()[:16]) == (5, "78d286ed5574cd78")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "settings": 3}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: str) -> None:
    folder = with_results(tmp_path)
    folder.manifest.write_text(content)
    with pytest.raises(RunFolderError, match="damaged"):
        open_manifest(folder, {"task": "classify"})
    folder.release()


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no run of slmbatch"):
        read_manifest(RunFolder(tmp_path))


def test_what_was_frozen_is_removed_before_the_answers_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = claimed(tmp_path / "out")
    (folder.certify / "answers").mkdir(parents=True)
    for name in ("answers/part-000000.parquet", "frozen.parquet", "plan.json", "labels.parquet"):
        (folder.certify / name).touch()
    remove, removed = os.unlink, list[str]()

    def unlink(path: str | Path, **options: int) -> None:
        removed.append(Path(path).name)
        remove(path, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    folder.clear()
    folder.release()
    assert {"frozen.parquet", "plan.json", "labels.parquet"} <= set(removed[: removed.index("part-000000.parquet")])
    assert not folder.certify.exists()
