import numpy as np
import pytest

from slmbatch.certificates.calibration import Doubles, Flags
from slmbatch.certificates.certificate import Certificate, Difference, Frozen, Provenance, certify, verify
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.ranking import freeze
from slmbatch.certificates.reuse import Reuse, drift, reuse


def reused(scores: Doubles, wrong: Flags, new: Doubles, target: Target) -> Reuse | Refusal:
    both = np.concatenate([scores, new])
    ranking = freeze([str(one) for one in range(len(both))], both, seed=0)
    return reuse(ranking, both, (~wrong).tolist(), Batch(len(new), len(new)), target)


def test_new_rows_above_the_first_error_that_is_not_tolerated_keep_their_answer() -> None:
    scores, new = np.linspace(1, 0, 300), np.random.default_rng(0).random(1_000)
    wrong = np.zeros(300, bool)
    wrong[100::10] = True
    found = reused(scores, wrong, new, Target(0.95, 0.1))
    assert isinstance(found, Reuse)
    assert found.line.kept == (new > scores[100 + 10 * found.plan.tolerated]).sum()
    assert found.plan.risk <= 0.1
    assert found.plan.asked[-1].expected == 1_000 - found.line.kept
    clean = reused(scores, np.zeros(300, bool), scores, Target(0.95, 0.1))
    assert isinstance(clean, Reuse)
    assert clean.line.kept == 300


def test_as_many_errors_are_tolerated_as_other_work_found() -> None:
    """c for 300 labels: 20-22 at 0.90, 8-9 at 0.95, 2 at 0.98, over the next batch's size."""
    for agreement, wanted in ((0.9, {20, 21, 22}), (0.95, {8, 9}), (0.98, {2})):
        for rows in (500, 1_000, 20_000):
            found = reused(np.ones(300), np.zeros(300, bool), np.ones(rows), Target(agreement, 0.1))
            assert isinstance(found, Reuse)
            assert found.plan.tolerated in wanted


def test_too_few_labels_promise_nothing() -> None:
    refused = reused(np.ones(100), np.zeros(100, bool), np.ones(1_000), Target(0.98, 0.1))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.TOO_FEW_LABELS


def test_scores_that_have_moved_are_an_alarm() -> None:
    random = np.random.default_rng(4)
    refused = reused(random.random(300), np.zeros(300, bool), random.random(300) ** 2, Target(0.9, 0.1))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.SCORES_DRIFTED
    assert refused.numbers["gap"] == pytest.approx(0.25, abs=0.09)


def test_drift_alarms_for_one_batch_in_a_hundred_that_did_not_drift() -> None:
    random = np.random.default_rng(3)
    alarms = [drift(random.random(200), random.random(150)).alarm for _ in range(4_000)]
    assert 0.003 < np.mean(alarms) < 0.016


def test_a_missing_score_is_the_lowest() -> None:
    some = np.array([0.2, 0.4, np.nan])
    assert drift(some, some).gap == 0
    assert drift(some, np.array([0.2, 0.4])).gap == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="some of both"):
        drift(np.array([]), np.array([1.0]))


def issued() -> tuple[Certificate, Frozen, dict[str, bool | None]]:
    """A certificate for 500 rows by 300 labels of before."""
    random = np.random.default_rng(5)
    scores = random.random(800)
    right = random.random(800) < scores**0.1
    ids = [f"earlier {one}" for one in range(300)] + [f"{one}" for one in range(500)]
    ranking = freeze(ids, scores, seed=3)
    found = reuse(ranking, scores, right[:300].tolist(), Batch(500, 500), Target(0.9, 0.1))
    assert isinstance(found, Reuse)
    provenance = Provenance(3, ("head",), "openai:some-model", "2026-01-31")
    certificate = certify(found.plan, ranking, found.line, provenance, drift=found.drift)
    return certificate, Frozen(ids, scores.tolist()), {one: bool(right[at]) for at, one in enumerate(ids[:300])}


def test_a_certificate_by_reused_labels_is_worked_out_again_from_both_batches() -> None:
    certificate, frozen, agrees = issued()
    assert certificate.kept > 100
    assert verify(certificate, frozen, agrees) == ()
    told = [one.name for one in verify(certificate, frozen, agrees | {"earlier 0": not agrees["earlier 0"]})]
    assert "error_ranks" in told
    fewer = {name: told for name, told in agrees.items() if name != "earlier 7"}
    assert verify(certificate, frozen, fewer) == (Difference("labels", 300, 299),)
    assert verify(certificate, Frozen(frozen.ids, [*frozen.scores[:-1], 0.123]), agrees)[0].name == "digest"
