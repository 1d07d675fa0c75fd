"""GBNF grammars for servers that take them, from the same reply shapes that others take as JSON Schema.

White space is bounded: one blank or one line break with up to four blanks. Free white space lets a small model that is
forbidden what it wants to write print blanks for ever; none at all forbids the token that ends a number.
Numbers are bounded for the same reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

from slmbatch.chat import Choice, Shape

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

LONGEST_STRING = 400
COMMON = r"""
ws ::= "" | " " | "\n" " "{0,4}
char ::= [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,6})?
boolean ::= "true" | "false"
null ::= "null"
""".strip()


def grammar(shape: Shape) -> str:
    """Return the GBNF text whose root is exactly the replies of `shape`."""
    if isinstance(shape, Choice):
        return "root ::= " + " | ".join(_literal(option) for option in shape.options)
    rules: dict[str, str] = {}
    rules["root"] = _expression(json.loads(shape.schema), "root", rules)
    lines = [f"{name} ::= {body}" for name, body in rules.items()]
    return "\n".join([*lines, COMMON])


def _literal(text: str) -> str:
    """Quote text as a GBNF literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _expression(schema: Mapping[str, Json], name: str, rules: dict[str, str]) -> str:
    if "anyOf" in schema:
        return "(" + " | ".join(_expression(one, name, rules) for one in _mappings(schema["anyOf"])) + ")"
    if "enum" in schema:
        options = schema["enum"]
        assert isinstance(options, list)
        return "(" + " | ".join(_literal(json.dumps(option, ensure_ascii=False)) for option in options) + ")"
    kind = schema["type"]
    if kind == "object":
        return _object(schema, name, rules)
    if kind == "array":
        rules[f"{name}-item"] = _expression(_mapping(schema["items"]), f"{name}-item", rules)
        return f'"[" ws ({name}-item (ws "," ws {name}-item)*)? ws "]"'
    return _string(schema, rules) if kind == "string" else str(kind)


def _string(schema: Mapping[str, Json], rules: dict[str, str]) -> str:
    """Refer to the rule for strings of this length; each length is written out only once."""
    longest = schema.get("maxLength", LONGEST_STRING)
    rules[f"string-{longest}"] = f'"\\"" char{{0,{longest}}} "\\""'
    return f"string-{longest}"


def _object(schema: Mapping[str, Json], name: str, rules: dict[str, str]) -> str:
    members = []
    for index, (key, value) in enumerate(_mapping(schema["properties"]).items()):
        rule = f"{name}-{index}"
        rules[rule] = _expression(_mapping(value), rule, rules)
        members.append(f'{_literal(json.dumps(key, ensure_ascii=False))} ":" ws {rule}')
    return '"{" ws ' + ' ws "," ws '.join(members) + ' ws "}"'


def _mapping(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value


def _mappings(value: Json) -> list[Mapping[str, Json]]:
    assert isinstance(value, list)
    return [_mapping(one) for one in value]
