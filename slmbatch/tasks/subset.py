"""A schema of some fields of another: what is asked again when the others are known. Lists are asked whole or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from slmbatch.tasks.schema import Field, Group, Items, Node, Schema


def askable(schema: Schema) -> Iterator[tuple[str, Field | Items]]:
    """Yield what can be asked for by itself, in the schema's order: each leaf outside lists, each outermost list."""
    yield from _askable(schema.root, "")


def _askable(node: Node, path: str) -> Iterator[tuple[str, Field | Items]]:
    if isinstance(node, Group):
        for name, member in node.members:
            yield from _askable(member, f"{path}.{name}" if path else name)
    else:
        yield path, node


def subset(schema: Schema, paths: Collection[str]) -> Schema:
    """Return the schema of these fields and lists, without rules: those are for the values put together."""
    root = _kept(schema.root, "", paths)
    assert isinstance(root, Group), "there is something to ask for"
    return Schema(schema.name, root, (), schema.day_first, f"{schema.source} {sorted(paths)}")


def _kept(node: Node, path: str, paths: Collection[str]) -> Node | None:
    if not isinstance(node, Group):
        return node if path in paths else None
    members = [(name, _kept(member, f"{path}.{name}" if path else name, paths)) for name, member in node.members]
    kept = tuple((name, member) for name, member in members if member is not None)
    return Group(kept) if kept else None
