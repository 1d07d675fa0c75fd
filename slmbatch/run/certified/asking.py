"""Asking the top tier about some contents of a batch, in a pass of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeAlias

from slmbatch.run.execute import Pass, run_pass
from slmbatch.run.loop import Counts
from slmbatch.run.plan import Plan
from slmbatch.store.folder import RunFolder, Stage
from slmbatch.store.parts import KeyIndex, settled_keys
from slmbatch.store.rows import sources_of

Watch: TypeAlias = Callable[[Counts], None] | None


def ask_top(
    plan: Plan, folder: RunFolder, stage: Stage, wanted: Collection[bytes], *, watch: Watch, occasion: str = ""
) -> None:
    """Ask the top tier about these contents, also where it failed before. `occasion` is that of the Pass."""
    one = Pass(
        plan.tiers[-1:],
        stage,
        threshold=0.0,
        only=frozenset(wanted),
        sources=sources_of(folder.rows, KeyIndex.of(list(wanted))),
        occasion=occasion,
    )
    run_pass(replace(plan, choices=replace(plan.choices, retry_failed=True)), folder, one, watch=watch)


def settled(stage: Stage, *, without_failed: bool = False) -> KeyIndex:
    """Return the contents that a pass has settled."""
    return KeyIndex.gathered(settled_keys(stage.parts, without_failed=without_failed))
