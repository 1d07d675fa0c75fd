"""Where schemas come from: JSON and YAML files, folders of them, or a pydantic model in a Python file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from slmbatch.errors import TaskError
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.tasks.triage import OTHER, TriageTask, triage_task

SUFFIXES = frozenset({".json", ".yaml", ".yml"})


def load_extraction(specs: Sequence[str]) -> ExtractTask | TriageTask:
    """Load what to extract: one schema, or one for each type of document from a folder, or from several of either.

    A type's name is its file's up to the first dot, or the model's. Raises TaskError naming the file and what to do.
    """
    if len(specs) == 1 and not Path(specs[0]).is_dir():
        return ExtractTask(load_schema(specs[0]))
    schemas: dict[str, Schema] = {}
    for spec in (one for given in specs for one in _spread(given)):
        name = spec.rpartition(".py:")[2] if ".py:" in spec else Path(spec).name.partition(".")[0]
        if name in schemas or name.casefold() == OTHER or not name or set(name) & set('[]"'):
            taken = "there is one already" if name in schemas else "a column can't have this name, or it means no type"
            raise TaskError(f"{spec}: its type would be called {name!r}: {taken}.", "Rename the file or the model.")
        schemas[name] = load_schema(spec)
    return triage_task(schemas)


def _spread(spec: str) -> Iterator[str]:
    """Yield the schemas of a folder by name; a file is itself."""
    folder = Path(spec)
    if not folder.is_dir():
        yield spec
        return
    found = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise TaskError(f"{spec}: no schema is in this folder.", "Put a JSON or YAML file there for each type.")
    yield from found


def load_schema(spec: str) -> Schema:
    """Load `file.json`, `file.yaml` or `module.py:Model`.

    A Python file is executed, as any import is. Raises TaskError naming the file and what to do.
    """
    file_name, _, model = spec.partition(".py:")
    if model:
        return _from_model(Path(file_name + ".py"), model)
    path = Path(spec)
    if path.suffix == ".py":
        raise TaskError(f"{path}: which of its models?", "Pass FILE.py:ModelName.")
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise TaskError(f"{path}: can't be read ({error.strerror}).", "Check the path given to --schema.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise TaskError(f"{path}: not valid JSON or YAML: {error}", "Correct the file.") from error
    if not isinstance(content, dict):
        raise TaskError(f"{path}: not a schema: it holds no object.", "Start with {type: object, properties: …}.")
    return compile_schema(content, name=path.name.split(".")[0], where=str(path))


def _from_model(path: Path, name: str) -> Schema:
    if not path.is_file():
        raise TaskError(f"{path}: no such file.", "Check the path given to --schema.")
    spec = importlib.util.spec_from_file_location(f"slmbatch_schema_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018  (a .py file always has both)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, TypeError) as error:
        raise TaskError(f"{path}: can't be imported: {error}", "Run it with Python to see the whole error.") from error
    model: Any = getattr(module, name, None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TaskError(f"{path}: has no pydantic model named {name!r}.", "Pass FILE.py:ModelName.")
    return compile_schema(model.model_json_schema(), name=name, where=f"{path}:{name}")
