"""The top tier of a certified run: asked about the sample, then about the rest. Knows no ranking and no line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.ranking import Places
from slmbatch.run.certified.batch import Batch
from slmbatch.run.certified.frozen import kinds_of
from slmbatch.run.certified.labels import (
    LABELS_FILE,
    labelled_on,
    labels_of,
    missed,
    read_labels,
    topped_rows,
    write_labels,
)
from slmbatch.run.execute import Pass, run_pass
from slmbatch.run.loop import Counts
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.store.folder import CERTIFICATE, RunFolder, Stage
from slmbatch.store.parts import KeyIndex, PartStore, settled_keys
from slmbatch.store.rows import sources_of

AGAIN = "again"  # the occasion of second questions, which tells their answers apart from those to the first
Watch = Callable[[Counts], None] | None


class TopTier:
    """Asks the last tier of a plan, and keeps what it says in the stage `top` of the run's folder.

    `agree` gets a question before it's asked for the first time, and again after `ask_again`; it may raise.
    """

    def __init__(self, plan: Plan, folder: RunFolder, *, watch: Watch, agree: Callable[[str], None]) -> None:
        self.tier = plan.tiers[-1]
        self.stage = folder.stage("top")
        self._plan = plan
        self._folder = folder
        self._watch = watch
        self._agree = agree
        self._agreed = False

    def ask_again(self) -> None:
        """Have the next question put, too: what was agreed to costs something else now."""
        self._agreed = False

    def has_answered(self, keys: KeyIndex) -> bool:
        """Tell whether it was asked about all of these contents."""
        return not keys.missing(settled(self.stage))

    def label(self, batch: Batch, places: Places) -> Refusal | None:
        """Have the top tier label rows of the pool, and write down whether it agrees; returns what wasn't paid for.

        Rows for which it couldn't be reached earlier are asked about again.
        """
        keys = batch.keys_at(places)
        left_out = self.ask(KeyIndex.of(keys), "labels", again=missed(keys, self.stage.parts))
        if left_out is not None:
            return left_out
        path, drawn = self._folder.certify / LABELS_FILE, places.tolist()
        topped = topped_rows(keys, self.stage.parts)
        labels = labels_of(batch, drawn, topped, kinds_of(self._plan.schema))
        if not path.exists() or list(read_labels(path).values()) != labels["agrees"]:
            (self._folder.root / CERTIFICATE).unlink(missing_ok=True)  # it rests on the labels that were there
            first = dt.date.fromisoformat(labelled_on(path)) if path.exists() else dt.datetime.now(dt.UTC).date()
            write_labels(path, {"id": [batch.frozen.ids[place] for place in drawn], **labels}, asked_on=first)
        return None

    def ask(self, keys: KeyIndex, what: str, *, again: Sequence[bytes] = ()) -> Refusal | None:
        """Ask the top tier about these contents, as far as it hasn't been, and about those of `again`.

        Returns what the budget has left out.
        """
        done = settled(self.stage, without_failed=self._plan.choices.retry_failed)
        wanted = frozenset([*keys.missing(done), *again])
        if not wanted:
            return None
        self._send(wanted, what, self.stage)
        left = keys.missing(settled(self.stage))
        told = f"all but {len(left)} of {len(keys)} texts ({what})"
        return over_budget(self._plan, (self.tier,), told) if left else None

    def ask_twice(self, keys: KeyIndex) -> None:
        """Ask the top tier about these contents once more, as far as it hasn't been and the budget reaches.

        What it says is kept in the stage `again`.
        """
        stage = self._folder.again
        if stage.parts.exists():
            PartStore(stage.parts)  # makes a part of the journal that a killed session has left
        wanted = frozenset(keys.missing(settled(stage, without_failed=self._plan.choices.retry_failed)))
        if wanted:
            self._send(wanted, "a second time", stage, occasion=AGAIN)

    def _send(self, wanted: frozenset[bytes], what: str, stage: Stage, *, occasion: str = "") -> None:
        """Ask about all that is wanted, also where it failed before, once that's agreed to."""
        if not self._agreed:
            self._agree(f"Ask {self.tier.name} about {len(wanted):,} texts ({what}), and go on?")
            self._agreed = True
        sources = sources_of(self._folder.rows, KeyIndex.of(list(wanted)))
        one = Pass((self.tier,), stage, threshold=0.0, only=wanted, sources=sources, occasion=occasion)
        asked = replace(self._plan, choices=replace(self._plan.choices, retry_failed=True))  # only what is wanted
        run_pass(asked, self._folder, one, watch=self._watch)


def over_budget(plan: Plan, tiers: Sequence[TierPlan], asked: str) -> Refusal:
    """Say that the budget has ended, and what these tiers could be asked about before it did."""
    names = " and ".join(tier.name for tier in tiers)
    said = f"the budget of {plan.max_usd} USD is reached: {names} could be asked about {asked}."
    return Refusal(Reason.OVER_BUDGET, said)


def settled(stage: Stage, *, without_failed: bool = False) -> KeyIndex:
    """Return the contents that a stage has settled."""
    return KeyIndex.gathered(settled_keys(stage.parts, without_failed=without_failed))
