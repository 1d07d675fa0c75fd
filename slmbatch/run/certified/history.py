"""What earlier certified runs are good for: choosing tiers, ranking rows, planning a sample or standing in for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from slmbatch.certificates.calibration import Doubles, Flags
from slmbatch.certificates.certificate import Certificate, Provenance, certify
from slmbatch.certificates.gates import Refusal, refusal
from slmbatch.certificates.planning import Batch as Shape
from slmbatch.certificates.ranking import Places
from slmbatch.certificates.reuse import Reuse, reuse
from slmbatch.certificates.ways import LEAST_HISTORY, learned_chances
from slmbatch.errors import ConfigError
from slmbatch.run.certified.batch import Batch
from slmbatch.run.certified.earlier import EARLIER_FILE, Earlier, kept_earlier, like_run, read_earlier
from slmbatch.run.certified.frozen import FROZEN_FILE, kinds_of
from slmbatch.run.certified.labels import LABELS_FILE, read_labels
from slmbatch.run.certified.leaving import choose, walk
from slmbatch.run.certified.lessons import EarlierRun, learn_ranking, read_run
from slmbatch.run.certified.proof import REFUSAL_FILE, refused_earlier
from slmbatch.run.certified.ranker import RANKING_FILE, Ranker, read_ranker
from slmbatch.run.certified.tiers import NOTHING_LEFT_OUT, TIERS_FILE, Choice, read_choice
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import RunFolder
from slmbatch.store.manifest import Settings

PLAN_FILE = "plan.json"  # under the run's certify folder
SEED_BYTES = 6  # every reader of JSON can hold that


@dataclass(frozen=True, slots=True)
class History:
    """What earlier runs say of this one: which tiers it asks, how it ranks rows, how many labels it needs.

    `scores` and `wrong` are of rows that were drawn at random: others would make answers look worse than they are.
    `reused` is the sample that shall do instead of one of this run.
    """

    choice: Choice = NOTHING_LEFT_OUT
    ranker: Ranker | None = None
    scores: Doubles = field(default_factory=lambda: np.empty(0))
    wrong: Flags = field(default_factory=lambda: np.empty(0, bool))
    reused: Earlier | None = None

    def asked(self, tiers: Sequence[TierPlan]) -> tuple[TierPlan, ...]:
        """Return the tiers without those that are left out."""
        return tuple(one for one in tiers if one.name not in self.choice.left_out)

    def settled(self, promise: Promise) -> Promise:
        """Return the promise with the seed that draws the sample."""
        return promise if self.choice.seed is None else replace(promise, seed=self.choice.seed)

    def chances(self, scores: Doubles) -> list[Doubles] | None:
        """Guess P(wrong) of new rows by their scores; None where too little is known."""
        return learned_chances(scores, old_scores=self.scores, old_wrong=self.wrong)

    def said(self) -> tuple[str, ...]:
        """Say what earlier runs have taught."""
        return (*self.choice.said, *(() if self.ranker is None else (f"Rows are ranked {self.ranker}.",)))


def read_history(plan: Plan, folder: RunFolder) -> History:
    """Read what the run's promise names, as it was when this run first read it.

    Raises ConfigError and RunFolderError as `like_run` does, or where labels are too few to plan by.
    """
    promise = plan.choices.promise
    assert promise is not None
    if not promise.earlier and promise.reuse is None:
        return History()
    kept = {one.name for one in folder.certify.glob("*")} if not plan.choices.overwrite else set()
    history = History() if promise.reuse is None else _reused(promise, plan, folder if EARLIER_FILE in kept else None)
    if TIERS_FILE in kept:
        history = replace(history, choice=read_choice(folder))
    elif FROZEN_FILE not in kept:
        history = replace(history, choice=replace(history.choice, seed=_own_seed(promise, plan.settings())))
    if kept & {RANKING_FILE, FROZEN_FILE}:
        history = replace(history, ranker=read_ranker(folder.certify / RANKING_FILE))
    planned = PLAN_FILE in kept or (REFUSAL_FILE in kept and refused_earlier(folder) is not None)
    if planned or not promise.earlier:
        return history
    once = dict.fromkeys(one.resolve() for one in promise.earlier)  # no row counts for two
    runs = [read_run(one, plan.settings(), kinds_of(plan.schema)) for one in once]
    if promise.reuse is None and TIERS_FILE not in kept:
        choice = choose(runs, plan, promise.goal)
        history = replace(history, choice=replace(choice, seed=history.choice.seed))
    learning = promise.reuse is None and promise.per is None and not kept & {RANKING_FILE, FROZEN_FILE}
    return _planning(history, runs, plan, seed=promise.seed, learning=learning)


def _own_seed(promise: Promise, settings: Settings) -> int:
    """Make a seed out of the promise's and of the rows that were drawn for the runs it names: no earlier draw had it.

    A draw knows nothing of the batch but ids. Those of a table that has only grown would be drawn as before: the sample
    would be the rows that the ranking was fitted and the plan was made by, and no random one any more. Raises as
    `like_run` does.
    """
    told = blake2b(f"{promise.seed}".encode(), digest_size=SEED_BYTES)
    for one in (*promise.earlier, *([] if promise.reuse is None else [promise.reuse])):
        for name in read_labels(like_run(one, settings).certify / LABELS_FILE):
            told.update(f"\n{name}".encode())
    return int.from_bytes(told.digest())


def _reused(promise: Promise, plan: Plan, folder: RunFolder | None) -> History:
    """Take over a run's sample, and with it how its rows were ranked and by whom they were answered.

    `folder` is this run's own where these are kept there already.
    """
    if folder is not None:
        sample = kept_earlier(folder.certify / EARLIER_FILE)
    else:
        assert promise.reuse is not None
        folder = RunFolder(promise.reuse)
        sample = read_earlier(promise.reuse, plan.settings())
    left_out = read_choice(folder).left_out
    if left_out and not promise.leave_out:
        raise ConfigError(
            f"{promise.reuse}: its labels are about other answers: it left out {', '.join(left_out)}.",
            "Add --leave-out to leave that out here, too.",
        )
    scores = np.asarray(sample.frozen.scores, np.float64)
    wrong = np.array([not right for right in sample.agrees], bool)  # as is a label that never came
    ranker = read_ranker(folder.certify / RANKING_FILE)
    said = (f"{' and '.join(left_out)} is left out, as in the run whose labels are reused.",) if left_out else ()
    return History(Choice(left_out, said), ranker, scores, wrong, sample)


def _planning(history: History, runs: Sequence[EarlierRun], plan: Plan, *, seed: int, learning: bool) -> History:
    """Add what the drawn rows of earlier runs say of the answers of the tiers that are asked.

    `learning`: nothing has settled yet how rows are ranked.
    """
    asked = [tier.name for tier in history.asked(plan.tiers)[:-1]]
    alike = [one for one in runs if set(one.left_out) == set(history.choice.left_out)]
    ranker, told = history.ranker, []
    if alike:
        learned, scores = learn_ranking(alike, asked, seed=seed)
        ranker = learned if learning else ranker
        if ranker != learned:  # it was fixed before, by other rows
            scores = np.concatenate([one.scores(ranker)[one.drawn] for one in alike])
        told.append((scores, np.concatenate([one.wrong[one.drawn] for one in alike])))
    if ranker is None or ranker.learned is None:  # else only those that it can rank
        walked = [walk([one], asked, plan) for one in runs if one not in alike]
        told += [(one.scores[one.usable], one.wrong[one.usable]) for one in walked if one is not None]
    scores, wrong = (np.concatenate(some) for some in zip(*told, strict=True)) if told else (np.empty(0), np.empty(0))
    if len(wrong) < LEAST_HISTORY:
        raise ConfigError(
            f"--earlier: {len(wrong)} labelled rows, and {LEAST_HISTORY} are needed to plan by.",
            "Name more runs that asked the same tiers, each with --earlier, or leave it out.",
        )
    return replace(history, ranker=ranker, scores=scores, wrong=wrong.astype(bool))


@dataclass(frozen=True, slots=True)
class Again:
    """A certificate by reused labels; `kept` are the places in the pool that keep their cheap answer."""

    reuse: Reuse
    certificate: Certificate
    kept: Places


def certify_by(earlier: Earlier, batch: Batch, promise: Promise, *, tiers: Sequence[TierPlan]) -> Again | Refusal:
    """Certify a batch by an earlier sample, in the ranking of both; or say why these labels are no certificate."""
    both, shape = earlier.before(batch.frozen), Shape(len(batch), len(batch.pool))
    ranking = earlier.ranking(batch.frozen, promise.seed)
    scores, target = np.asarray(both.scores, np.float64), promise.goal
    found = reuse(ranking, scores, earlier.agrees, shape, target, contents=both.contents)
    if isinstance(found, Refusal):
        return found
    line, tolerated = found.line, found.plan.tolerated
    refused = refusal(line, found.sample, found.agrees, rows=len(batch), tolerated=tolerated, delta=target.delta)
    if refused is not None:
        return refused
    origin = provenance(promise, tiers, earlier.asked_on)
    certificate = certify(found.plan, ranking, line, origin, drift=found.drift)
    return Again(found, certificate, ranking.order[line.keeps(found.sample)] - len(earlier))


def provenance(promise: Promise, tiers: Sequence[TierPlan], asked_on: str) -> Provenance:
    """Say who answered, and when."""
    *cheap, top = (tier.name for tier in tiers)
    return Provenance(promise.seed, tuple(cheap), top, asked_on)
