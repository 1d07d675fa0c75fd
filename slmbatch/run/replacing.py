"""What a run's tiers made of each other's answers. Of labels only: of fields a run keeps those of one tier alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from slmbatch.certificates.earning import Answered, Replaced, replaced
from slmbatch.store.located import LocatedParts
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.tasks.labels import in_order


def replacements(parts: Sequence[Path], right: Mapping[bytes, str]) -> list[Replaced]:
    """Compare each tier with the one before it, by the right label (as `in_order` writes it) of contents."""
    return replaced(_answered(LocatedParts(parts), right))


def _answered(located: LocatedParts, right: Mapping[bytes, str]) -> Iterator[tuple[Answered, str]]:
    found = located.find(list(right))
    found = found[found >= 0]
    for start in range(0, len(found), GROUP_ROWS):
        some = located.take(found[start : start + GROUP_ROWS]).select(["key", "attempts"]).to_pylist()
        for one in some:
            told = [(each["tier"], in_order(each["label"])) for each in one["attempts"] if each["label"] is not None]
            yield told, right[one["key"]]
