import numpy as np
import pytest

from slmbatch.certificates.gates import Reason, Refusal, fewest_kept, refusal
from slmbatch.certificates.settling import Line, draw_line

ROWS, SAMPLE = 1_000, np.arange(0, 1_000, 10)


def judged(wrong: set[int], *, tolerated: int, least: float | None = 0.8) -> Refusal | None:
    agrees = [int(rank) not in wrong for rank in SAMPLE]
    line = draw_line(SAMPLE, agrees, pool=ROWS, tolerated=tolerated)
    return refusal(line, SAMPLE, agrees, rows=ROWS, tolerated=tolerated, delta=0.1, min_accepted_agreement=least)


def test_errors_at_the_bottom_earn_a_certificate() -> None:
    assert judged({300, *range(700, 1_000, 20)}, tolerated=6) is None


def test_a_wrong_surest_row_is_refused() -> None:
    refused = judged({0}, tolerated=0)
    assert refused is not None
    assert refused.reason is Reason.NOTHING_KEPT


def test_a_line_near_the_top_is_refused() -> None:
    refused = judged({30, 500}, tolerated=0)
    assert refused is not None
    assert (refused.reason, refused.numbers["kept"]) == (Reason.SAVES_TOO_LITTLE, 27)


def test_a_score_that_ranks_nothing_is_refused() -> None:
    refused = judged(set(range(0, 1_000, 50)), tolerated=5)
    assert refused is not None
    assert refused.reason is Reason.SCORE_RANKS_NOTHING
    assert refused.numbers["auroc"] == pytest.approx(0.5, abs=0.05)


def test_four_errors_are_too_few_to_doubt_a_score() -> None:
    assert judged({100, 300, 500, 700}, tolerated=4) is None
    refused = judged({100, 300, 500, 700, 900}, tolerated=4)
    assert refused is not None
    assert refused.reason is Reason.SCORE_RANKS_NOTHING


def test_kept_rows_that_may_be_wrong_are_refused_unless_allowed() -> None:
    wrong = {*range(150, 300, 50), *range(300, 1_000, 10)}
    refused = judged(wrong, tolerated=3)
    assert refused is not None
    assert refused.reason is Reason.KEPT_ROWS_WRONG
    assert refused.message.endswith("less than the 80% wanted of kept rows, whatever --target is.")
    assert refused.numbers["least"] < 0.8 < refused.numbers["estimate"]
    assert judged(wrong, tolerated=3, least=None) is None


def test_a_score_that_may_only_seem_to_rank_is_refused() -> None:
    wrong = {*range(350, 1_000, 130)}
    refused = judged(wrong, tolerated=6)
    assert refused is not None
    assert refused.reason is Reason.SCORE_RANKS_NOTHING
    assert refused.numbers["least"] <= 0.6 < refused.numbers["auroc"]


@pytest.mark.parametrize(("tolerated", "least"), [(0, 0.8), (3, 0.8), (12, 0.8), (3, 0.9)])
def test_the_fewest_kept_rows_are_where_the_gate_opens(tolerated: int, least: float) -> None:
    fewest = fewest_kept(pool=ROWS, sample=100, tolerated=tolerated, delta=0.1, min_accepted_agreement=least)
    for kept, opens in ((fewest - 1, False), (fewest, True)):
        line = Line(pool=ROWS, sample=100, rank=kept, labelled_above=0, errors=(), missing=0)
        named = {"rows": ROWS, "tolerated": tolerated, "delta": 0.1, "min_accepted_agreement": least}
        refused = refusal(line, SAMPLE, [True] * 100, **named)  # type: ignore[arg-type]
        assert (refused is None) is opens
