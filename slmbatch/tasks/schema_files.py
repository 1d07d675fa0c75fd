"""Where schemas come from: JSON and YAML files, or a pydantic model in a Python file."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from slmbatch.errors import TaskError
from slmbatch.tasks.schema import Schema, compile_schema


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
