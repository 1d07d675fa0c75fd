"""The phases of a certified run: answer, freeze, plan, label, draw the line, settle. Each resumes where it stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from slmbatch.certificates.certificate import Certificate, Provenance, certify
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal, refusal
from slmbatch.certificates.planning import Batch as Shape
from slmbatch.certificates.planning import Plan as Design
from slmbatch.certificates.planning import plan as design
from slmbatch.certificates.ranking import Places, Ranking
from slmbatch.certificates.reuse import Reuse
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import guessed_chances, ranked_way
from slmbatch.errors import BudgetReached
from slmbatch.readers import read
from slmbatch.run.certified.batch import Batch, open_batch, read_again
from slmbatch.run.certified.compose import compose
from slmbatch.run.certified.earlier import EARLIER_FILE, Earlier, keep_earlier
from slmbatch.run.certified.frozen import FROZEN_FILE, kinds_of
from slmbatch.run.certified.history import PLAN_FILE, History, read_history, reused_for
from slmbatch.run.certified.labels import LABELS_FILE, labelled_on, read_labels, told_about, write_labels
from slmbatch.run.certified.prices import per_row
from slmbatch.run.certified.proof import keys_of, write_proof
from slmbatch.run.execute import Pass, run_pass
from slmbatch.run.loop import Counts
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import DONE, RunFolder, Stage, write_durably
from slmbatch.store.manifest import open_manifest
from slmbatch.store.parts import KeyIndex, part_paths, settled_keys, whole_keys
from slmbatch.store.rows import keys_in, sources_of
from slmbatch.store.tables import build_tables

Watch = Callable[[Counts], None] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a certified run ended: with a certificate, or with the refusal for which all rows went to the top tier."""

    counts: Counts
    certificate: Certificate | None = None
    refusal: Refusal | None = None


class CertifiedRun:
    """A run in phases. `announce` is told the plan before labels are bought, or why there is none; `tell_reuse` whether
    labels of an earlier run serve instead.

    `agree` gets a question before the top tier is asked: once, and again when a refusal changes what that costs. Both
    may raise.
    """

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        *,
        watch: Watch,
        announce: Callable[[Design | Refusal], None],
        tell_reuse: Callable[[Reuse | Refusal], None],
        agree: Callable[[str], None],
    ) -> None:
        assert plan.choices.promise is not None
        self._plan = plan
        self._promise: Promise = plan.choices.promise
        self._folder = folder
        self._watch = watch
        self._announce = announce
        self._tell_reuse = tell_reuse
        self._agree = agree
        self._agreed = False
        self._answered = folder.stage("answers", rows=folder.rows)
        self._topped = folder.stage("top")
        self._kinds = kinds_of(plan.schema)

    def run(self) -> Outcome:
        """Go through all phases; what an earlier session has done is found in the folder.

        Raises what `execute` does; BudgetReached when --max-usd doesn't pay for all that the top tier must be asked.
        """
        history = read_history(self._plan, self._folder)
        counts = self._answer()
        batch = open_batch(self._folder, self._answered, self._plan.schema)
        if history.reused is not None:
            found = self._reuse(batch, history.reused)
            if found is not None:
                return self._settle(batch, found[1], Outcome(counts, found[0]))
        ranking = batch.ranking(self._promise.seed)
        planned = self._design(batch, ranking, history)
        self._announce(planned)
        if isinstance(planned, Refusal):
            return self._settle(batch, np.empty(0, np.int64), Outcome(counts, refusal=planned))
        sample = ranking.sample(planned.sample)
        agrees = self._labels(batch, ranking.order[sample])
        line = draw_line(sample, agrees, pool=len(ranking), tolerated=planned.tolerated)
        refused = refusal(
            line, sample, agrees, rows=len(batch), tolerated=planned.tolerated, delta=planned.target.delta
        )
        if refused is not None:
            self._announce(refused)
            self._agreed = False
            return self._settle(batch, np.empty(0, np.int64), Outcome(counts, refusal=refused))
        certificate = certify(planned, ranking, line, self._provenance(labelled_on(self._folder.certify / LABELS_FILE)))
        return self._settle(batch, ranking.order[line.keeps(sample)], Outcome(counts, certificate))

    def _answer(self) -> Counts:
        """Have the tiers below the top one answer everything, unless their answers are frozen already."""
        plan, folder = self._plan, self._folder
        if not plan.choices.overwrite and (folder.certify / FROZEN_FILE).exists():
            open_manifest(folder, plan.settings())
            rows = read_again(folder, read(plan.found, plan.reading))
            (folder.root / DONE).unlink(missing_ok=True)
            return Counts(total=rows, read=rows, done=rows, resumed=rows)
        one = Pass(plan.tiers[:-1], self._answered)
        counts = run_pass(plan, folder, one, watch=self._watch, clear=plan.choices.overwrite)
        left = keys_in(folder.rows).missing(_settled(self._answered))
        if left:  # frozen without them, they couldn't be asked about any more
            raise self._budget_reached(one.tiers, f"all but {len(left)} texts")
        return counts

    def _reuse(self, batch: Batch, earlier: Earlier) -> tuple[Certificate, Places] | None:
        """Certify by labels of an earlier run; returns the places that keep their answer, None where these won't do."""
        keep_earlier(self._folder.certify / EARLIER_FILE, earlier)
        ranking = earlier.ranking(batch.frozen, self._promise.seed)
        found = reused_for(batch, ranking, earlier, self._target())
        self._tell_reuse(found)
        if isinstance(found, Refusal):
            return None
        certificate = certify(found.plan, ranking, found.line, self._provenance(earlier.asked_on), drift=found.drift)
        return certificate, ranking.order[found.line.keeps(found.sample)] - len(earlier)

    def _target(self) -> Target:
        return Target(float(self._promise.target), float(self._promise.delta))

    def _design(self, batch: Batch, ranking: Ranking, history: History) -> Design | Refusal:
        """Plan the labels by those of earlier runs, or take the plan that was made before any was bought."""
        path = self._folder.certify / PLAN_FILE
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Design)
        scores = np.asarray(batch.frozen.scores, np.float64)[ranking.order]
        prices = per_row(self._plan, self._answered.parts)
        way = ranked_way(history.chances(scores) or guessed_chances(scores))
        made = design(way, Shape(len(batch), len(batch.pool)), self._target(), prices=prices)
        if not isinstance(made, Refusal):
            write_durably(path, msgspec.json.encode(made))
        return made

    def _labels(self, batch: Batch, places: Places) -> list[bool | None]:
        """Have the top tier label rows of the pool; returns whether it agrees, None where it didn't answer."""
        path = self._folder.certify / LABELS_FILE
        ids = [batch.frozen.ids[place] for place in places.tolist()]
        if not path.exists():
            keys = batch.keys_at(places)
            self._ask(KeyIndex.of(keys), "labels")
            assert batch.frozen.answers is not None
            cheap = [batch.frozen.answers[place] for place in places.tolist()]
            told = told_about(keys, self._topped.parts, self._kinds)
            write_labels(path, ids, cheap, told, asked_on=dt.datetime.now(dt.UTC).date())
        agrees = read_labels(path)
        return [agrees[one] for one in ids]

    def _settle(self, batch: Batch, kept: Places, outcome: Outcome) -> Outcome:
        """Ask the top tier about every row but the kept ones, and write the results."""
        staying = keys_of(batch, kept)
        everything = KeyIndex.of(whole_keys(np.unique(batch.keys)))
        self._ask(KeyIndex.of(everything.missing(staying)), "the rest")
        compose(self._answered.parts, self._topped.parts, self._folder.parts, staying)
        build_tables(self._folder, part_paths(self._folder.parts), self._plan.schema)
        if outcome.certificate is not None:
            write_proof(self._folder, outcome.certificate, self._plan.schema)
        return outcome

    def _ask(self, keys: KeyIndex, what: str) -> None:
        """Ask the top tier about these contents, as far as it hasn't been."""
        top = self._plan.tiers[-1]
        wanted = frozenset(keys.missing(_settled(self._topped, without_failed=self._plan.choices.retry_failed)))
        if not wanted:
            return
        if not self._agreed:
            self._agree(f"Ask {top.name} about {len(wanted):,} texts ({what}), and go on?")
            self._agreed = True
        sources = sources_of(self._folder.rows, KeyIndex.of(list(wanted)))
        one = Pass((top,), self._topped, threshold=0.0, only=wanted, sources=sources)
        run_pass(self._plan, self._folder, one, watch=self._watch)
        left = keys.missing(_settled(self._topped))
        if left:
            raise self._budget_reached(one.tiers, f"all but {len(left)} of {len(keys)} texts ({what})")

    def _budget_reached(self, tiers: Sequence[TierPlan], asked: str) -> BudgetReached:
        names = " and ".join(tier.name for tier in tiers)
        return BudgetReached(
            f"The budget of {self._plan.max_usd} USD is reached: {names} could be asked about {asked}.",
            "Nothing is lost: the same command with a higher --max-usd goes on.",
        )

    def _provenance(self, asked_on: str) -> Provenance:
        *cheap, top = (tier.name for tier in self._plan.tiers)
        return Provenance(self._promise.seed, tuple(cheap), top, asked_on)


def _settled(stage: Stage, *, without_failed: bool = False) -> KeyIndex:
    return KeyIndex.gathered(settled_keys(stage.parts, without_failed=without_failed))
