"""Several schemas: where they come from, what they are called, and which can't go together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from slmbatch.errors import TaskError
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema_files import load_extraction
from slmbatch.tasks.triage import TriageTask
from tests.made_types import INVOICE, RECEIPT, SCHEMAS


def folder_of(folder: Path, **schemas: Path) -> Path:
    folder.mkdir()
    for name, path in schemas.items():
        shutil.copy(path, folder / f"{name}.json")
    return folder


def types_of(*specs: object) -> list[str]:
    task = load_extraction([str(one) for one in specs])
    assert isinstance(task, TriageTask)
    return list(task.types)


def test_one_schema_is_a_schema_and_a_folder_is_a_type_for_each_file(tmp_path: Path) -> None:
    assert isinstance(load_extraction([str(RECEIPT)]), ExtractTask)
    folder = folder_of(tmp_path / "types", receipt=RECEIPT, bill=INVOICE)
    (folder / "README.md").write_text("no schema")
    assert types_of(folder) == ["bill", "receipt"]
    assert types_of(RECEIPT, INVOICE) == types_of(INVOICE, RECEIPT) == ["invoice-header", "receipt"]
    assert types_of(folder_of(tmp_path / "one", receipt=RECEIPT)) == ["receipt"]


def test_a_pydantic_model_can_be_a_type(tmp_path: Path) -> None:
    (tmp_path / "kinds.py").write_text("from pydantic import BaseModel\nclass Permit(BaseModel):\n    number: str\n")
    assert types_of(f"{tmp_path}/kinds.py:Permit", RECEIPT) == ["Permit", "receipt"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no schema is in this folder"),
        ({"other": RECEIPT}, "it means no type"),
        ({"a": RECEIPT, "b": RECEIPT}, "a and b: their fields are the same"),
    ],
)
def test_types_that_could_not_be_told_apart_are_refused(tmp_path: Path, files: dict[str, Path], said: str) -> None:
    with pytest.raises(TaskError, match=said):
        load_extraction([str(folder_of(tmp_path / "types", **files))])


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "types", receipt=INVOICE)
    with pytest.raises(TaskError, match="called 'receipt': there is one already"):
        load_extraction([str(folder), str(RECEIPT)])


def test_the_shipped_invoice_schemas_are_the_same_type() -> None:
    with pytest.raises(TaskError, match="invoice and invoice-header"):
        load_extraction([str(SCHEMAS / "invoice.schema.json"), str(INVOICE)])


def test_another_description_is_another_question(tmp_path: Path) -> None:
    before = load_extraction([str(INVOICE), str(RECEIPT)]).fingerprint
    changed = json.loads(RECEIPT.read_text()) | {"description": "Proof of a purchase."}
    (tmp_path / "receipt.json").write_text(json.dumps(changed))
    assert load_extraction([str(INVOICE), str(tmp_path / "receipt.json")]).fingerprint != before
