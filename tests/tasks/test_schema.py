"""Schemas: what compiles to what, and what is refused with its path."""

import json
from pathlib import Path
from typing import Any

import pytest

from slmbatch.errors import TaskError
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.grammar import grammar
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Kind

SHIPPED = sorted((Path(__file__).parents[2] / "schemas").glob("*.schema.json"))


def compiled(properties: dict[str, Any], **more: Any) -> Schema:
    return compile_schema({"type": "object", "properties": properties, **more}, name="t", where="t.json")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_schemas_compile(path: Path) -> None:
    schema = load_schema(str(path))
    assert any(field.required for _, field in schema.fields())
    assert all(field.description for _, field in schema.fields())


def test_invoice_has_the_agreed_names() -> None:
    schema = load_schema(str(SHIPPED[0].parent / "invoice.schema.json"))
    assert [path for path, _ in schema.fields()] == [
        "invoice_id", "invoice_date", "due_date", "currency", "supplier_name", "supplier_tax_id", "supplier_iban",
        "receiver_name", "purchase_order", "net_amount", "total_tax_amount", "total_amount", "amount_due",
        "line_items[].description", "line_items[].quantity", "line_items[].unit_price", "line_items[].amount",
    ]  # fmt: skip
    assert [rule.id for rule in schema.rules] == ["BR-CO-15", "due-after-issue", "line-amount"]


def test_kinds_follow_type_and_format() -> None:
    schema = compiled(
        {
            "a": {"type": "string"},
            "b": {"type": ["number", "null"]},
            "c": {"type": "string", "format": "date"},
            "d": {"type": "string", "format": "decimal"},
            "e": {"type": "string", "format": "currency-iso4217"},
            "f": {"enum": ["x", "y"]},
            "g": {"type": "boolean"},
            "h": {"type": "integer"},
            "i": {"type": "array", "items": {"type": "string"}},
            "j": {"type": "object", "properties": {"k": {"type": "string"}}},
        }
    )
    assert {path: field.kind for path, field in schema.fields()} == {
        "a": Kind.TEXT, "b": Kind.DECIMAL, "c": Kind.DATE, "d": Kind.DECIMAL, "e": Kind.CURRENCY, "f": Kind.ENUM,
        "g": Kind.BOOLEAN, "h": Kind.INTEGER, "i[]": Kind.TEXT, "j.k": Kind.TEXT,
    }  # fmt: skip


def test_required_holds_only_where_everything_above_is_required() -> None:
    inner = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    schema = compiled({"a": inner, "b": inner, "c": {"type": ["string", "null"]}}, required=["a", "c"])
    assert {path: field.required for path, field in schema.fields()} == {"a.x": True, "b.x": False, "c": False}


@pytest.mark.parametrize(
    ("properties", "path", "word"),
    [
        ({"a": {"type": "string", "minLength": 3}}, "a", "minLength"),
        ({"a": {"type": "array", "items": {"type": "string", "format": "email"}}}, "a[]", "email"),
        ({"a": {"type": "object", "properties": {"b": {"oneOf": []}}}}, "a.b", "oneOf"),
        ({"a": {"type": ["string", "boolean"]}}, "a", "boolean"),
        ({"a": {"$ref": "other.json"}}, "a", "other.json"),
        ({"a": {"type": "string", "x-slmbatch": {}}}, "a", "x-slmbatch"),
        ({"a.b": {"type": "string"}}, "the top", "a.b"),
        ({"a": {"type": "object", "properties": {}}}, "a", "properties"),
        ({"a": {"enum": [1, 2]}}, "a", "enum"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_path(properties: dict[str, Any], path: str, word: str) -> None:
    with pytest.raises(TaskError) as caught:
        compiled(properties)
    assert caught.value.message.startswith(f"t.json: {path}: ")
    assert word in caught.value.message
    assert caught.value.remedy


def test_a_schema_that_refers_to_itself_is_refused() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    with pytest.raises(TaskError, match="nested too deeply"):
        compiled({"a": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": node}})


def test_a_misspelt_rule_key_is_refused() -> None:
    with pytest.raises(TaskError, match=r"x-slmbatch\.rules\.0\.tolerence"):
        compiled(
            {"a": {"type": "string"}}, **{"x-slmbatch": {"rules": [{"id": "r", "expr": "a == 1", "tolerence": 1}]}}
        )


def test_a_pydantic_model_is_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    path.write_text(
        "import datetime\nfrom decimal import Decimal\nfrom pydantic import BaseModel\n"
        "class Line(BaseModel):\n    name: str\n    amount: Decimal | None = None\n"
        "class Invoice(BaseModel):\n    number: str\n    day: datetime.date | None = None\n    lines: list[Line]\n"
    )
    fields = dict(load_schema(f"{path}:Invoice").fields())
    assert {name: field.kind for name, field in fields.items()} == {
        "number": Kind.TEXT, "day": Kind.DATE, "lines[].name": Kind.TEXT, "lines[].amount": Kind.DECIMAL,
    }  # fmt: skip
    assert fields["number"].required
    assert not fields["day"].required
    with pytest.raises(TaskError, match="no pydantic model named 'Nothing'"):
        load_schema(f"{path}:Nothing")


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_file_nested_without_end_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep.schema.{suffix}"
    path.write_text('{"a":' + "[" * 100_000)
    with pytest.raises(TaskError, match="not valid JSON or YAML"):
        load_schema(str(path))


def test_yaml_and_json_give_the_same_schema(tmp_path: Path) -> None:
    source = {"type": "object", "properties": {"a": {"type": "string", "format": "date"}}, "required": ["a"]}
    (tmp_path / "s.json").write_text(json.dumps(source))
    (tmp_path / "s.yaml").write_text("type: object\nproperties:\n  a: {type: string, format: date}\nrequired: [a]\n")
    assert load_schema(str(tmp_path / "s.json")) == load_schema(str(tmp_path / "s.yaml"))


def test_every_leaf_may_be_null_and_amounts_may_be_numbers() -> None:
    task = ExtractTask(compiled({"total": {"type": "string", "format": "decimal"}, "name": {"type": "string"}}))
    text = grammar(task._shape)
    assert "root-0 ::= (number | string-40 | null)" in text
    assert "root-1 ::= (string-200 | null)" in text
    assert 'ws ::= "" | " " | "\\n" " "{0,4}' in text


def test_the_extract_prompt() -> None:
    task = ExtractTask(
        compiled(
            {
                "total": {"type": "number", "description": "to pay"},
                "kind": {"enum": ["a", "b"]},
                "lines": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}},
                },
            }
        )
    )
    assert task.instructions.endswith(
        "Fields:\n- total: to pay; number\n- kind: one of: a, b\n- lines: a list\n  - on: date"
    )
