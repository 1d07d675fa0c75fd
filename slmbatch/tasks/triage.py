"""Several schemas for one pile of documents: each is a type, and a document is asked for the fields of its own alone.

Knows no document, and not how its type is found out (heads/fields/types.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from slmbatch.errors import TaskError
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.labels import Label, LabelSet
from slmbatch.tasks.schema import Group, Schema

OTHER = "other"
"""The type of a document that none of the schemas is for."""


@dataclass(frozen=True)
class TriageTask:
    """What type is the document of, and which values does it state for the fields of that type's schema?"""

    types: Mapping[str, ExtractTask]
    name: str = field(default="extract", init=False)

    @cached_property
    def schema(self) -> Schema:
        """All schemas as one, for tables: an object whose members are the types. It is never asked for."""
        parts = tuple(_below(name, task.schema) for name, task in self.types.items())
        members = tuple(member for part in parts for member in part.root.members)
        return Schema("types", Group(members), (), day_first=True, source=self.fingerprint, parts=parts)

    @cached_property
    def sorting(self) -> ClassifyTask:
        """What a language model is asked where rules can't tell the type: a label set of titles and descriptions."""
        labels = [Label(name, _described(task.schema)) for name, task in self.types.items()]
        return ClassifyTask(LabelSet(tuple(labels), other=True))

    @cached_property
    def fingerprint(self) -> str:
        """What an answer depends on besides the document and the model."""
        asked = {name: task.fingerprint for name, task in self.types.items()}
        return json.dumps([self.sorting.fingerprint, asked], ensure_ascii=False)

    @cached_property
    def longest(self) -> ExtractTask:
        """The type with the longest prompt: what estimates go by, which don't know the documents' types."""
        return max(self.types.values(), key=lambda task: len(task.instructions))

    @property
    def instructions(self) -> str:
        """The longest prompt's fixed part."""
        return self.longest.instructions

    @cached_property
    def max_tokens(self) -> int:
        """The longest reply's length, for estimates."""
        return max(task.max_tokens for task in self.types.values())


def triage_task(schemas: Mapping[str, Schema]) -> TriageTask:
    """Make a task of schemas by type, in the order of their names. Raises TaskError where types can't be told apart."""
    for (one, first), (other, second) in combinations(schemas.items(), 2):
        if _looks(first) == _looks(second):
            raise TaskError(
                f"{one} and {other}: their fields are the same but for lists, so that no document is rather one than "
                "the other.",
                "Leave one of the two schemas out.",
            )
    return TriageTask({name: ExtractTask(schemas[name]) for name in sorted(schemas)})


def typed_path(type_: str, path: str) -> str:
    """Return where a field of a type's schema stands in the tables."""
    return f"{type_}.{path}"


def _below(type_: str, schema: Schema) -> Schema:
    unique = tuple(typed_path(type_, path) for path in schema.unique)
    return Schema(type_, Group(((type_, schema.root),)), (), schema.day_first, schema.source, unique)


def _described(schema: Schema) -> str:
    description = str(json.loads(schema.source).get("description", ""))
    return f"{schema.name}. {description}".strip()


def _looks(schema: Schema) -> frozenset[object]:
    """What a document of the type is known by: its fields outside of lists, by kind and label."""
    single = [field for path, field in schema.fields() if "[]" not in path]
    return frozenset((field.kind, field.enum or field.hint) for field in single)
