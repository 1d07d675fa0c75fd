import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.certificates.counting import risk
from slmbatch.certificates.settling import draw_line, least_agreement

SAMPLE = np.array([1, 4, 6, 9, 12])


def test_the_line_lies_before_the_first_error_that_is_not_tolerated() -> None:
    line = draw_line(SAMPLE, [True, False, True, False, True], pool=15, tolerated=1)
    assert (line.rank, line.labelled_above, line.kept, line.errors_above) == (9, 3, 6, 1)
    assert line.errors == (4, 9)
    assert line.keeps(SAMPLE).tolist() == [0, 2, 3, 5, 7, 8]
    assert line.agreement_above == pytest.approx(2 / 3)


def test_with_few_errors_every_unlabelled_row_is_kept() -> None:
    line = draw_line(SAMPLE, [True, False, True, False, True], pool=15, tolerated=2)
    assert (line.rank, line.kept, line.labelled_above) == (15, 10, 5)


def test_copies_of_rows_that_go_up_are_not_kept() -> None:
    contents = np.array(list("abcdefghijklmno"), "S1")
    contents[0] = contents[4]  # a copy of a labelled row before the line
    contents[[2, 3]] = b"z"  # copies of each other only
    contents[8] = contents[11]  # a copy of a row beyond the line
    line = draw_line(SAMPLE, [True, False, True, False, True], pool=15, tolerated=1, contents=contents)
    assert line.keeps(SAMPLE).tolist() == [0, 2, 3, 5, 7, 8]
    assert (line.going_up, line.kept) == (2, 4)


def test_a_label_that_never_came_counts_as_an_error() -> None:
    line = draw_line(SAMPLE, [True, None, True, True, True], pool=15, tolerated=0)
    assert (line.rank, line.missing, line.errors) == (4, 1, (4,))


def test_a_wrong_surest_row_keeps_nothing() -> None:
    line = draw_line(np.array([0, 3]), [False, True], pool=9, tolerated=0)
    assert (line.rank, line.kept, line.agreement_above) == (0, 0, None)
    assert least_agreement(line, tolerated=0, delta=0.1) is None


@given(st.lists(st.sampled_from([True, True, False, None]), min_size=1, max_size=40), st.integers(0, 5), st.data())
def test_one_more_error_never_keeps_more(agrees: list[bool | None], tolerated: int, data: st.DataObject) -> None:
    pool = len(agrees) * 3
    sample = np.sort(np.random.default_rng(len(agrees)).permutation(pool)[: len(agrees)])
    at = data.draw(st.integers(0, len(agrees) - 1))
    worse = [*agrees[:at], False, *agrees[at + 1 :]]
    before = draw_line(sample, agrees, pool=pool, tolerated=tolerated)
    assert draw_line(sample, worse, pool=pool, tolerated=tolerated).rank <= before.rank
    assert before.kept == len(before.keeps(sample))
    assert not set(before.keeps(sample)) & set(sample.tolist())


def test_what_agrees_at_least_among_the_kept_follows_from_the_count_rule() -> None:
    sample = np.arange(0, 200, 4)
    line = draw_line(sample, [rank not in {40, 80, 120} for rank in sample], pool=200, tolerated=2)
    least = least_agreement(line, tolerated=2, delta=0.1)
    assert least is not None
    assert line.kept == 90
    wrong = round((1 - least) * 90)
    numbers = {"pool": 200, "sample": 50, "tolerated": 2}
    assert risk(allowed=wrong, **numbers) <= 0.1 < risk(allowed=wrong - 1, **numbers)
