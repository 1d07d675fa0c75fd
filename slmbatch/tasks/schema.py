"""Schemas: a JSON Schema becomes a tree of typed fields, or is refused with the path of what isn't supported.

Knows no prompt, no engine and no value; loading files and pydantic models is in schema_files.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from slmbatch.errors import TaskError
from slmbatch.tasks.extension import RuleSpec, check_unique, read_extension
from slmbatch.tasks.hints import Hint, implied_hint, read_hint
from slmbatch.types import Kind

ANNOTATIONS = frozenset(
    {"title", "description", "examples", "default", "deprecated", "$schema", "$id", "$comment", "$defs"}
)
FORMATS = {"date": Kind.DATE, "decimal": Kind.DECIMAL, "currency-iso4217": Kind.CURRENCY}
TYPES = {"string": Kind.TEXT, "integer": Kind.INTEGER, "number": Kind.DECIMAL, "boolean": Kind.BOOLEAN}
MAX_DEPTH = 8
_POSITION = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Field:
    """One leaf of the schema. `required` holds only where every object above it is required as well.

    `hint` is what rules go by to find it, None for conclusions (enum, boolean), which stand nowhere.
    """

    kind: Kind
    description: str = ""
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    required: bool = False
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """An object: its members in the order of the schema, by name."""

    members: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """An array; `required` means that an empty one can't be accepted."""

    item: Node
    description: str = ""
    required: bool = False


Node: TypeAlias = Field | Group | Items


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled schema. `name` is its title or file name; `source` the canonical JSON it was compiled from.

    `unique` are the leaves that together should be another document's in no two rows. `parts` are the schemas of which
    this one is made where documents are of several types, each with its type as only member (see triage.py); `signs`
    are words of which a document of this type prints one.
    """

    name: str
    root: Group
    rules: tuple[RuleSpec, ...]
    day_first: bool
    source: str
    unique: tuple[str, ...] = ()
    parts: tuple[Schema, ...] = ()
    signs: tuple[str, ...] = ()

    def fields(self) -> Iterator[tuple[str, Field]]:
        """Yield every leaf with its path; list members are written `line_items[].amount`."""
        yield from _walk(self.root, "")

    @property
    def terms(self) -> dict[str, str]:
        """The business terms of EN 16931 that leaves are, by the leaf's path."""
        return {path: field.hint.term for path, field in self.fields() if field.hint and field.hint.term}


def schema_path(path: str) -> str:
    """Return which leaf of a schema a leaf of an answer is: `line_items[2].amount` is `line_items[].amount`."""
    return _POSITION.sub("[]", path)


def _walk(node: Node, path: str) -> Iterator[tuple[str, Field]]:
    if isinstance(node, Field):
        yield path, node
    elif isinstance(node, Items):
        yield from _walk(node.item, f"{path}[]")
    else:
        for name, member in node.members:
            yield from _walk(member, f"{path}.{name}" if path else name)


def compile_schema(source: Mapping[str, Any], *, name: str, where: str) -> Schema:
    """Compile a JSON Schema (2020-12). `where` names its file in errors.

    Raises TaskError naming the path of an unsupported keyword, type or format.
    """
    compiler = _Compiler(where, source.get("$defs", {}))
    extension = read_extension(source.get("x-slmbatch", {}), where=where)
    bare = {key: value for key, value in source.items() if key != "x-slmbatch"}
    root = compiler.node(bare, "", required=True, depth=0)
    if not isinstance(root, Group):
        raise TaskError(f"{where}: the top of a schema must be an object.", "Wrap it: {type: object, properties: …}.")
    canonical = json.dumps(source, sort_keys=False, ensure_ascii=False)
    schema = Schema(
        str(source.get("title", name)),
        root,
        extension.rules,
        extension.day_first,
        canonical,
        extension.unique,
        signs=extension.signs,
    )
    check_unique(extension, [path for path, _ in schema.fields()], where=where)
    return schema


@dataclass(frozen=True, slots=True)
class _Compiler:
    where: str
    definitions: Mapping[str, Any]

    def refuse(self, path: str, what: str, remedy: str) -> TaskError:
        return TaskError(f"{self.where}: {path or 'the top'}: {what}.", remedy)

    def node(self, schema: Any, path: str, *, required: bool, depth: int) -> Node:
        if not isinstance(schema, Mapping):
            raise self.refuse(path, "is not a schema object", "Write {type: …}.")
        if depth > MAX_DEPTH:
            raise self.refuse(path, "is nested too deeply or refers to itself", f"Use at most {MAX_DEPTH} levels.")
        schema, nullable = self.resolve(schema, path)
        required = required and not nullable
        kind = self.type_of(schema, path)
        if kind == "object":
            return self.group(schema, path, required=required, depth=depth)
        if kind == "array":
            self.only(schema, path, {"type", "items"})
            item = self.node(schema.get("items"), f"{path}[]", required=True, depth=depth + 1)
            return Items(item, str(schema.get("description", "")), required)
        return self.leaf(schema, path, kind, required=required)

    def resolve(self, schema: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any], bool]:
        """Follow a local $ref and fold `anyOf`/`type` lists; return the plain schema and whether null was allowed."""
        nullable = False
        followed: set[str] = set()
        while "$ref" in schema:
            reference = str(schema["$ref"])
            target = self.definitions.get(reference.removeprefix("#/$defs/"))
            if not reference.startswith("#/$defs/") or not isinstance(target, Mapping) or reference in followed:
                raise self.refuse(path, f"$ref {reference!r} doesn't lead into $defs", "Use local references only.")
            followed.add(reference)
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        if "anyOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            if not all(isinstance(one, Mapping) for one in schema["anyOf"]):
                raise self.refuse(path, "anyOf must list schemas", "Write {type: …} for each.")
            options = [one for one in schema["anyOf"] if one.get("type") != "null"]
            nullable = len(options) < len(schema["anyOf"])
            if {str(one.get("type")) for one in options} == {"number", "string"}:  # how pydantic writes a Decimal
                return {"type": "number", **rest}, nullable
            if len(options) != 1:
                raise self.refuse(path, "anyOf of several types is not supported", "Choose one type, nullable or not.")
            schema, inner = self.resolve({**options[0], **rest}, path)
            return schema, nullable or inner
        kinds = schema.get("type")
        if isinstance(kinds, list):
            kept = [kind for kind in kinds if kind != "null"]
            nullable = len(kept) < len(kinds)
            folded = "number" if set(kept) == {"number", "string"} else kept[0] if len(kept) == 1 else None
            if folded is None:
                raise self.refuse(path, f"type {kinds} is not supported", "Name one type, and null if it may be empty.")
            schema = {**schema, "type": folded}
        return schema, nullable

    def type_of(self, schema: Mapping[str, Any], path: str) -> str:
        kind = schema.get("type", "string" if "enum" in schema or "const" in schema else None)
        if kind is None and "properties" in schema:
            kind = "object"
        if kind not in {*TYPES, "object", "array"}:
            remedy = f"Use one of: object, array, {', '.join(TYPES)}."
            if kind is None:
                keywords = ", ".join(key for key in schema if key not in ANNOTATIONS) or "nothing"
                raise self.refuse(path, f"has no type, only {keywords}", remedy)
            raise self.refuse(path, f"type {kind!r} is not supported", remedy)
        return str(kind)

    def only(self, schema: Mapping[str, Any], path: str, allowed: set[str]) -> None:
        for keyword in schema:
            if keyword not in allowed and keyword not in ANNOTATIONS:
                raise self.refuse(
                    path, f"the keyword {keyword!r} is not supported here", f"Supported: {', '.join(sorted(allowed))}."
                )

    def group(self, schema: Mapping[str, Any], path: str, *, required: bool, depth: int) -> Group:
        self.only(schema, path, {"type", "properties", "required", "additionalProperties"})
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            raise self.refuse(path, "an object needs properties", "Name its fields under `properties`.")
        if schema.get("additionalProperties", False) is not False:
            raise self.refuse(path, "additionalProperties must be false", "Name every field.")
        needed = schema.get("required", [])
        if not isinstance(needed, list):
            raise self.refuse(path, "`required` must be a list of names", "Write required: [name, …].")
        for name in needed:
            if name not in properties:
                raise self.refuse(path, f"requires {name!r}, which isn't among its properties", "Correct `required`.")
        members = []
        for name, member in properties.items():
            if not name or any(character in name for character in '.[]"'):
                raise self.refuse(path, f"the field name {name!r} holds a dot, bracket or quote", "Rename the field.")
            inner = f"{path}.{name}" if path else name
            members.append((name, self.node(member, inner, required=required and name in needed, depth=depth + 1)))
        return Group(tuple(members))

    def check_pattern(self, pattern: object, path: str) -> None:
        try:
            re.compile("" if pattern is None else str(pattern))
        except re.error as error:
            raise self.refuse(path, f"pattern {pattern!r} is no regular expression ({error})", "Correct it.") from error

    def leaf(self, schema: Mapping[str, Any], path: str, kind: str, *, required: bool) -> Field:
        description = str(schema.get("description", ""))
        if "enum" in schema or "const" in schema:
            self.only(schema, path, {"type", "enum", "const"})
            options = tuple(option for option in schema.get("enum", [schema.get("const")]) if option is not None)
            if not options or not all(isinstance(option, str) for option in options):
                raise self.refuse(path, "enum must list texts", "Write the values as strings.")
            return Field(Kind.ENUM, description, options, required=required)
        typed = {"type", "x-slmbatch"} if kind != "boolean" else {"type"}
        self.only(schema, path, typed | {"format", "pattern"} if kind == "string" else typed)
        self.check_pattern(schema.get("pattern"), path)
        if "format" in schema and schema["format"] not in FORMATS:
            remedy = f"Supported: {', '.join(FORMATS)}."
            raise self.refuse(path, f"format {schema['format']!r} is not supported", remedy)
        leaf_kind = FORMATS[schema["format"]] if "format" in schema else TYPES[kind]
        hint = self.hint(schema, path, leaf_kind)
        return Field(leaf_kind, description, (), schema.get("pattern"), required, hint)

    def hint(self, schema: Mapping[str, Any], path: str, kind: Kind) -> Hint | None:
        if kind is Kind.BOOLEAN:
            return None
        implied = implied_hint(path.rsplit(".", 1)[-1].removesuffix("[]"), kind, str(schema.get("description", "")))
        if "x-slmbatch" not in schema:
            return implied
        return read_hint(schema["x-slmbatch"], kind, implied, where=f"{self.where}: {path}")
