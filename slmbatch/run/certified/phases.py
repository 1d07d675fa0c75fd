"""The phases of a certified run: answer, freeze, plan, label, draw the line, settle. Each resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec
import numpy as np

from slmbatch.certificates.certificate import Certificate
from slmbatch.certificates.earning import Replaced
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.noise import Noise
from slmbatch.certificates.parts import Part, drawn
from slmbatch.certificates.ranking import Places
from slmbatch.certificates.reuse import Reuse
from slmbatch.certificates.several import Certificates, settle
from slmbatch.certificates.ways import guessed_chances
from slmbatch.readers import read
from slmbatch.run.certified.batch import Batch, open_batch, read_again
from slmbatch.run.certified.compose import compose
from slmbatch.run.certified.design import Design, certificate_of, design, plans_of, read_design
from slmbatch.run.certified.earlier import EARLIER_FILE, keep_earlier
from slmbatch.run.certified.frozen import FROZEN_FILE, kinds_of
from slmbatch.run.certified.history import PLAN_FILE, History, certify_by, provenance, read_history
from slmbatch.run.certified.labels import LABELS_FILE, agreed_by_part, judged_by_top, labelled_on
from slmbatch.run.certified.prices import per_row
from slmbatch.run.certified.proof import keys_of, refused_earlier, save_refusal, write_proof
from slmbatch.run.certified.tiers import write_choice
from slmbatch.run.certified.top import TopTier, Watch, over_budget, settled
from slmbatch.run.certified.twice import ask_twice
from slmbatch.run.execute import Pass, run_pass
from slmbatch.run.loop import Counts
from slmbatch.run.plan import Plan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import CERTIFICATE, DONE, RunFolder, write_durably
from slmbatch.store.manifest import open_manifest
from slmbatch.store.parts import KeyIndex, PartStore, part_paths
from slmbatch.store.rows import keys_in
from slmbatch.store.tables import build_tables


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a certified run ended: with a certificate, or with the reason why there is none.

    All rows went to the top tier then, unless the budget has ended before.
    """

    counts: Counts
    certificate: Certificate | Certificates | None = None
    refusal: Refusal | None = None
    replaced: tuple[Replaced, ...] = ()  # what cheap tiers made of each other's answers, by the top tier's
    noise: Noise | None = None  # the top tier's own, where it was asked twice
    history: History = field(default_factory=History)


class CertifiedRun:
    """A run in phases. `announce` is told the plan before labels are bought, or why there is none; `tell_reuse` whether
    labels of an earlier run serve instead, `tell` what earlier runs have taught.

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
        tell: Callable[[str], None],
        agree: Callable[[str], None],
    ) -> None:
        assert plan.choices.promise is not None
        self._plan = plan
        self._promise: Promise = plan.choices.promise
        self._folder = folder
        self._watch = watch
        self._announce = announce
        self._tell_reuse = tell_reuse
        self._tell = tell
        self._history, self._asked = History(), plan.tiers
        self._answered = folder.stage("answers", rows=folder.rows)
        self._top = TopTier(plan, folder, watch=watch, agree=agree)

    def run(self) -> Outcome:
        """Go through all phases; what an earlier session has done is found in the folder.

        Where --max-usd ends a phase, what is finished is delivered, and the refusal says so.
        Raises what `execute` does.
        """
        history = self._history = read_history(self._plan, self._folder)
        self._asked, self._promise = history.asked(self._plan.tiers), history.settled(self._promise)
        for sentence in history.said():
            self._tell(sentence)
        if self._top.stage.parts.exists() and not self._plan.choices.overwrite:
            PartStore(self._top.stage.parts)  # makes a part of the journal that a killed session has left
        counts, unpaid = self._answer()
        if unpaid is not None:
            return self._deliver(KeyIndex(), Outcome(counts, refusal=unpaid), unpaid=True)
        per = self._promise.per
        batch = open_batch(self._folder, self._answered, self._plan.schema, per=per, ranker=history.ranker)
        if history.reused is not None:
            keep_earlier(self._folder.certify / EARLIER_FILE, history.reused)
            found = certify_by(history.reused, batch, self._promise, tiers=self._asked)
            self._tell_reuse(found if isinstance(found, Refusal) else found.reuse)
            if not isinstance(found, Refusal):
                return self._settle(batch, found.kept, Outcome(counts, found.certificate))
        return self._certify(batch, history, Outcome(counts))

    def _certify(self, batch: Batch, history: History, outcome: Outcome) -> Outcome:
        """Plan, label and settle a batch: with a certificate, or several, or with the reason why there is none."""
        parts = batch.parts(self._promise.per, self._promise.seed)
        planned = self._design(batch, parts, history)
        if isinstance(planned, Refusal):
            return self._refuse(batch, replace(outcome, refusal=planned))
        self._announce(planned)
        plans = plans_of(planned)
        places = drawn(parts, {name: one.sample for name, one in plans.items()})
        refused = self._top.label(batch, places)
        if refused is not None:
            return self._deliver(KeyIndex(), replace(outcome, refusal=refused), unpaid=True)
        replaced = judged_by_top(batch.keys_at(places), self._answered.parts, self._top.stage.parts)
        outcome = replace(outcome, replaced=replaced)
        path = self._folder.certify / LABELS_FILE
        agrees = agreed_by_part(path, parts, self._promise.per)
        origin = provenance(self._promise, self._asked, labelled_on(path))
        settled = self._sent_up(batch) or settle(parts, plans, agrees, origin, together=self._promise.per == "field")
        if isinstance(settled, Refusal):
            self._top.ask_again()
            return self._refuse(batch, replace(outcome, refusal=settled))
        outcome = replace(outcome, certificate=certificate_of(planned, settled))
        if settled.refused:
            self._top.ask_again()
        return self._settle(batch, np.flatnonzero(settled.kept), outcome, whole=sorted(settled.refused))

    def _answer(self) -> tuple[Counts, Refusal | None]:
        """Have the tiers below the top one answer everything, unless their answers are frozen already."""
        plan, folder = self._plan, self._folder
        if not plan.choices.overwrite and (folder.certify / FROZEN_FILE).exists():
            open_manifest(folder, plan.settings())
            rows = read_again(folder, read(plan.found, plan.reading))
            (folder.root / DONE).unlink(missing_ok=True)
            return Counts(total=rows, read=rows, done=rows, resumed=rows), None
        one = Pass(self._asked[:-1], self._answered)
        begin = partial(write_choice, folder, self._history.choice)
        counts = run_pass(plan, folder, one, watch=self._watch, clear=plan.choices.overwrite, begin=begin)
        left = keys_in(folder.rows).missing(settled(self._answered))
        # frozen without them, they couldn't be asked about any more
        return counts, over_budget(plan, one.tiers, f"all but {len(left)} texts") if left else None

    def _design(self, batch: Batch, parts: Mapping[str, Part], history: History) -> Design | Refusal:
        """Plan the labels by those of earlier runs, or take what was planned, or refused, before any was bought."""
        path, per = self._folder.certify / PLAN_FILE, self._promise.per
        if path.exists():
            return read_design(path.read_bytes(), per)
        refused = refused_earlier(self._folder)
        if refused is not None:
            return refused
        scores = {name: one.scores() for name, one in parts.items()}
        chances = {name: history.chances(some) or guessed_chances(some) for name, some in scores.items()}
        prices = per_row(self._plan, self._answered.parts)
        made = design(per, parts, chances, self._promise.goal, rows=len(batch), prices=prices)
        if not isinstance(made, Refusal):
            write_durably(path, msgspec.json.encode(made))
        return made

    def _sent_up(self, batch: Batch) -> Refusal | None:
        """Return the refusal for which the top tier was asked about every row already, in an earlier session.

        A certificate could only take its answers back, however many labels have come since.
        """
        return refused_earlier(self._folder) if self._top.has_answered(batch.everything()) else None

    def _refuse(self, batch: Batch, outcome: Outcome) -> Outcome:
        """Say why there's no certificate, and send every row up."""
        assert outcome.refusal is not None
        save_refusal(self._folder, outcome.refusal)
        self._announce(outcome.refusal)
        return self._settle(batch, np.empty(0, np.int64), outcome)

    def _settle(self, batch: Batch, kept: Places, outcome: Outcome, *, whole: Sequence[str] = ()) -> Outcome:
        """Ask the top tier about every row but the kept ones, and write the results.

        `whole` are the classes of which nothing is kept for what their labels said.
        """
        staying = keys_of(batch, kept)
        what = f"the rest, with all of {', '.join(whole)}: the labels earn no certificate" if whole else "the rest"
        unpaid = self._top.ask(KeyIndex.of(batch.everything().missing(staying)), what)
        if unpaid is not None:
            outcome = replace(outcome, certificate=None, refusal=outcome.refusal or unpaid)
        else:
            kinds = kinds_of(self._plan.schema)
            again = ask_twice(self._top, self._promise, folder=self._folder, batch=batch, kinds=kinds)
            outcome = replace(outcome, noise=again)
        return self._deliver(staying, outcome, unpaid=unpaid is not None)

    def _deliver(self, staying: KeyIndex, outcome: Outcome, *, unpaid: bool) -> Outcome:
        """Write the results as far as they are settled: all of them, unless the budget has ended before."""
        folder, schema = self._folder, self._plan.schema
        (folder.root / CERTIFICATE).unlink(missing_ok=True)
        if outcome.refusal is not None:
            save_refusal(folder, outcome.refusal)
        waits_for = self._plan.tiers[-1].name if unpaid else None
        compose(self._answered.parts, self._top.stage.parts, folder.parts, staying, waits_for=waits_for)
        build_tables(folder, part_paths(folder.parts), schema)
        if outcome.certificate is not None:
            write_proof(folder, outcome.certificate, schema, outcome.noise)
        return replace(outcome, history=self._history)
