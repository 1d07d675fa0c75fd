from decimal import Decimal

import numpy as np
import pytest

from slmbatch.certificates.counting import Target, risk
from slmbatch.certificates.gates import Reason, Refusal, fewest_kept, refusal
from slmbatch.certificates.planning import Batch, Plan, expected_cost, plan
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import default_chances, guessed_chances, learned_chances, ranked_way


def planned(rows: int, target: Target, **named: object) -> Plan:
    made = plan(ranked_way([default_chances(rows)]), Batch(rows, rows), target, **named)  # type: ignore[arg-type]
    assert isinstance(made, Plan)
    return made


@pytest.mark.parametrize(
    ("rows", "agreement", "sample", "tolerated", "saving"),
    [
        (100, 0.9, 28, 1, 0.54),
        (200, 0.95, 57, 1, 0.44),
        (500, 0.98, 143, 1, 0.33),
        (1_000, 0.95, 139, 4, 0.56),
        (5_000, 0.9, 244, 19, 0.79),
        (5_000, 0.98, 581, 8, 0.45),
        (50_000, 0.99, 3_769, 32, 0.39),
    ],
)
def test_plans_are_those_of_another_program(
    rows: int, agreement: float, sample: int, tolerated: int, saving: float
) -> None:
    made = planned(rows, Target(agreement, 0.1), min_accepted_agreement=None)  # of which the other one knows nothing
    assert (made.sample, made.tolerated) == (sample, tolerated)
    assert made.saving == pytest.approx(saving, abs=0.006)
    assert made.risk == risk(pool=rows, allowed=made.allowed, sample=sample, tolerated=tolerated) <= 0.1
    assert made.misses[0].probability == made.risk


@pytest.mark.parametrize("least", [None, 0.8])
def test_no_other_plan_is_expected_to_cost_less(least: float | None) -> None:
    made = planned(300, Target(0.9, 0.1), min_accepted_agreement=least)
    way, batch, costs = ranked_way([default_chances(300)]), Batch(300, 300), np.array([0.0, 1.0])
    every = [
        expected_cost(way, batch, costs, sample=sample, tolerated=tolerated, kept=needed(sample, tolerated, least))
        for sample in range(1, 181)
        for tolerated in range(12)
        if tolerated <= sample and risk(pool=300, allowed=30, sample=sample, tolerated=tolerated) <= 0.1
    ]
    assert 1 - min(every) / 300 == pytest.approx(made.saving)


def needed(sample: int, tolerated: int, least: float | None) -> int:
    return fewest_kept(pool=300, sample=sample, tolerated=tolerated, delta=0.1, min_accepted_agreement=least)


@pytest.mark.parametrize("agreement", [0.7, 0.8])
def test_a_target_whose_kept_rows_may_be_wrong_is_refused_before_labels_are_bought(agreement: float) -> None:
    refused = plan(ranked_way([default_chances(300)]), Batch(300, 300), Target(agreement))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.KEPT_ROWS_WRONG
    assert refused.numbers["needed"] >= 5 * refused.numbers["wrong"]  # for 80 % of them to agree
    assert refused.numbers["needed"] > refused.numbers["kept"]
    assert refused.message.endswith("ask for a higher target.")


@pytest.mark.parametrize("agreement", [0.85, 0.86, 0.9])
def test_what_a_plan_expects_is_what_the_gate_lets_through(agreement: float) -> None:
    rows = 500
    made = planned(rows, Target(agreement))
    random = np.random.default_rng(2)
    saved = 0
    for _ in range(3_000):
        wrong = random.random(rows) < default_chances(rows)
        sample = np.sort(random.permutation(rows)[: made.sample])
        agrees = (~wrong[sample]).tolist()
        line = draw_line(sample, agrees, pool=rows, tolerated=made.tolerated)
        refused = refusal(line, sample, agrees, rows=rows, tolerated=made.tolerated, delta=0.1)
        if refused is None or refused.reason is not Reason.KEPT_ROWS_WRONG:
            saved += line.kept
    assert saved / 3_000 == pytest.approx(rows - made.asked[1].expected, rel=0.06)


def test_forecasts_and_bill_are_what_batches_like_the_guess_come_to() -> None:
    rows, prices = 2_000, (Decimal("0.0001"), Decimal("0.003"))
    made = planned(rows, Target(0.95, 0.1), prices=prices)
    random = np.random.default_rng(1)
    asked = []
    for _ in range(1_500):
        wrong = random.random(rows) < default_chances(rows)
        sample = np.sort(random.permutation(rows)[: made.sample])
        line = draw_line(sample, (~wrong[sample]).tolist(), pool=rows, tolerated=made.tolerated)
        asked.append(rows - line.kept)
    cheap, top = made.asked
    assert (cheap.expected, cheap.low, cheap.high) == (rows, rows, rows)
    assert np.mean(asked) == pytest.approx(top.expected, rel=0.01)
    assert np.mean([top.low <= one <= top.high for one in asked]) == pytest.approx(0.8, abs=0.04)
    assert made.usd == rows * prices[0] + top.expected * prices[1]
    assert made.usd_high == rows * prices[0] + top.high * prices[1]
    assert made.alone_usd == rows * prices[1]
    assert made.saving == pytest.approx(1 - float(made.usd / made.alone_usd), abs=1e-3)


def test_without_prices_there_is_no_bill_and_a_free_top_tier_saves_answers() -> None:
    made = planned(500, Target(0.9))
    assert (made.usd, made.usd_high, made.alone_usd) == (None, None, None)
    free = planned(500, Target(0.9), prices=(Decimal("0.01"), Decimal(0)))
    assert (free.sample, free.saving, free.usd) == (made.sample, made.saving, Decimal(5))


def test_rows_without_a_usable_answer_go_up_and_lend_their_share_of_errors() -> None:
    made = plan(ranked_way([default_chances(800)]), Batch(1_000, 800), Target(0.9))
    whole = planned(800, Target(0.9))
    assert isinstance(made, Plan)
    assert (made.allowed, whole.allowed) == (100, 80)
    assert made.sample < whole.sample
    assert made.asked[1].expected >= 200
    assert made.risk == risk(pool=800, allowed=100, sample=made.sample, tolerated=made.tolerated)


def test_a_batch_too_small_is_refused_with_the_labels_it_would_need() -> None:
    refused = plan(ranked_way([default_chances(100)]), Batch(100, 100), Target(0.99))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.TOO_FEW_ROWS
    assert refused.numbers["labels"] == 69
    assert "at least 69 labels of 100 rows" in refused.message
    assert "or of 205 rows or more" in refused.message


def test_a_batch_without_usable_answers_is_refused() -> None:
    refused = plan(ranked_way([np.array([])]), Batch(10, 0), Target(0.9))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.NOTHING_KEPT


def test_a_certificate_that_saves_next_to_nothing_is_refused() -> None:
    way, batch = ranked_way([np.full(1_000, 0.9)]), Batch(1_000, 1_000)
    refused = plan(way, batch, Target(0.95))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.SAVES_TOO_LITTLE
    dear = (Decimal("0.0029"), Decimal("0.003"))
    refused = plan(ranked_way([default_chances(1_000)]), batch, Target(0.95), prices=dear)
    assert isinstance(refused, Refusal)
    assert refused.numbers["saving"] < 0.05


def test_a_good_history_buys_fewer_labels_than_none_where_little_is_wrong() -> None:
    random = np.random.default_rng(0)
    scores = -np.sort(-random.random(1_000))
    old = random.random(600)
    learned = learned_chances(scores, old_scores=old, old_wrong=random.random(600) < 0.1 * (1 - old))
    assert learned is not None
    made = plan(ranked_way(learned), Batch(1_000, 1_000), Target(0.9))
    assert isinstance(made, Plan)
    assert made.sample < planned(1_000, Target(0.9)).sample
    assert learned_chances(scores, old_scores=old[:199], old_wrong=np.zeros(199, bool)) is None


def test_scores_are_a_guess_only_where_they_may_be_probabilities() -> None:
    assert guessed_chances(np.array([1.0, 0.4]))[1].tolist() == [0.0, 0.6]
    assert len(guessed_chances(np.array([3.0, 0.4]))) == 1
    assert len(guessed_chances(np.array([0.4, np.nan]))) == 1
    assert default_chances(10_000).mean() == pytest.approx(0.1575, abs=1e-4)
