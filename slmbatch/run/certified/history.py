"""What earlier certified runs are good for: planning a sample, or standing in for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.certificate import Certificate, Provenance, certify
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal, refusal
from slmbatch.certificates.planning import Batch as Shape
from slmbatch.certificates.ranking import Places
from slmbatch.certificates.reuse import Reuse, reuse
from slmbatch.certificates.ways import LEAST_HISTORY, learned_chances
from slmbatch.errors import ConfigError
from slmbatch.run.certified.batch import Batch
from slmbatch.run.certified.earlier import EARLIER_FILE, Earlier, kept_earlier, read_earlier
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import RunFolder

PLAN_FILE = "plan.json"  # under the run's certify folder


@dataclass(frozen=True, slots=True)
class History:
    """The samples that a new one is planned by, and the one that shall do instead of it."""

    planning: tuple[Earlier, ...] = ()
    reused: Earlier | None = None

    def chances(self, scores: Doubles) -> list[Doubles] | None:
        """Guess P(wrong) of new rows by their scores; None where too little is known."""
        runs = self.planning or ((self.reused,) if self.reused is not None else ())
        old = np.array([score for one in runs for score in one.frozen.scores], np.float64)
        wrong = np.array([not right for one in runs for right in one.agrees], bool)  # as is a label that never came
        return learned_chances(scores, old_scores=old, old_wrong=wrong)


def read_history(plan: Plan, folder: RunFolder) -> History:
    """Read what the run's promise names, as it was when this run first read it.

    Raises ConfigError and RunFolderError as `read_earlier` does, or where labels are too few to plan by.
    """
    promise = plan.choices.promise
    assert promise is not None
    planned, kept = (
        not plan.choices.overwrite and (folder.certify / name).exists() for name in (PLAN_FILE, EARLIER_FILE)
    )
    named = () if planned else promise.earlier
    planning = tuple(read_earlier(one, plan.settings()) for one in named)
    count = sum(map(len, planning))
    if named and count < LEAST_HISTORY:
        raise ConfigError(
            f"--earlier: {count} labelled rows, and {LEAST_HISTORY} are needed to plan by.",
            "Name more runs, each with --earlier, or leave it out.",
        )
    if promise.reuse is None:
        return History(planning)
    if kept:
        return History(planning, kept_earlier(folder.certify / EARLIER_FILE))
    return History(planning, read_earlier(promise.reuse, plan.settings(), serves=True))


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
    scores, target = np.asarray(both.scores, np.float64), target_of(promise)
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


def target_of(promise: Promise) -> Target:
    return Target(float(promise.target), float(promise.delta))


def provenance(promise: Promise, tiers: Sequence[TierPlan], asked_on: str) -> Provenance:
    """Say who answered, and when."""
    *cheap, top = (tier.name for tier in tiers)
    return Provenance(promise.seed, tuple(cheap), top, asked_on)
