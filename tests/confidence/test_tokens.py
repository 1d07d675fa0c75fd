"""Scores from tokens, against probabilities worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.chat import Token
from slmbatch.confidence.gate import refusal
from slmbatch.confidence.tokens import LabelScorer, TokenSpans
from slmbatch.types import Answer


def token(text: str, probability: float, **others: float) -> Token:
    top = ((text, probability), *others.items())
    return Token(text.encode(), math.log(probability), tuple((one.encode(), math.log(p)) for one, p in top))


def test_labels_that_part_at_the_first_token_share_it() -> None:
    scorer = LabelScorer({"billing": b"bill", "refund": b"ref"})
    told = scorer.score([token("bill", 0.6, ref=0.2, other=0.1)])
    assert told.mass == pytest.approx(0.8)
    assert told.scores == pytest.approx({"billing": 0.75, "refund": 0.25})


def test_a_longer_path_multiplies() -> None:
    scorer = LabelScorer({"card lost": b"card l", "card fee": b"card f", "loan": b"loan"})
    told = scorer.score([token("card", 0.8, loan=0.2), token(" l", 0.9, **{" f": 0.1})])
    assert told.scores == pytest.approx({"card lost": 0.72, "card fee": 0.08, "loan": 0.2})


def test_two_spellings_of_one_label_add_up() -> None:
    scorer = LabelScorer({"billing": b"bill", "refund": b"ref"})
    told = scorer.score([token("bill", 0.4, bi=0.2, ref=0.4)])
    assert told.scores == pytest.approx({"billing": 0.6, "refund": 0.4})


def test_what_the_server_did_not_tell_is_held_back() -> None:
    scorer = LabelScorer({"a": b"aa", "b": b"bb", "c": b"cc"})
    told = scorer.score([token("aa", 0.001, x=0.9, y=0.001)])
    assert told.scores["a"] == pytest.approx(1 / 3)  # b and c may have up to 0.001 each
    assert set(told.scores) == {"a"}


def test_without_alternatives_the_token_speaks_for_itself() -> None:
    scorer = LabelScorer({"a": b"aa", "b": b"bb"})
    assert scorer.score([Token(b"aa", math.log(0.3))]).scores["a"] == pytest.approx(0.3)


def test_part_of_a_character_that_says_nothing_by_itself_counts_against_the_label() -> None:
    scorer = LabelScorer({"a": "ä".encode(), "o": "ö".encode()})
    part = Token(b"", math.log(0.7), ((b"", math.log(0.7)), (b"", math.log(0.3))))  # as vLLM tells it
    assert scorer.score([part, token("ä", 0.9, ö=0.1)]).scores == pytest.approx({"a": 0.63, "o": 0.07})


def test_an_end_token_changes_nothing() -> None:
    scorer = LabelScorer({"a": b"aa", "b": b"bb"})
    tokens = [token("aa", 0.5, bb=0.5), Token(b"", -9.0)]
    assert scorer.score(tokens).scores == pytest.approx({"a": 0.5, "b": 0.5})


@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), st.floats(0.001, 1)), min_size=1, max_size=6), st.data()
)
def test_scores_never_add_up_to_more_than_one(alternatives: list[tuple[str, float]], data: st.DataObject) -> None:
    replies = {"x": b"aab", "y": b"abc", "z": b"cab"}
    total = sum(probability for _, probability in alternatives)
    top = tuple((text.encode(), math.log(probability / total)) for text, probability in dict(alternatives).items())
    chosen = data.draw(st.sampled_from(top))
    told = LabelScorer(replies).score([Token(chosen[0], chosen[1], top)])
    assert 0 <= sum(told.scores.values()) <= 1 + 1e-9


def test_a_span_is_scored_by_its_own_tokens_only() -> None:
    reply = [(b'{"a":', -9.0), (b' "', -5.0), (b"12", -1.0), (b".5", -3.0), (b'"}', -7.0)]
    spans = TokenSpans([Token(data, logprob) for data, logprob in reply])
    text = b"".join(data for data, _ in reply)
    start = text.index(b"12")
    told = spans.score(start, start + 4, decided_at=start - 1)
    assert told is not None
    assert (told.mean, told.least, told.first) == (-2.0, -3.0, -5.0)


def test_the_gate_gives_its_reason() -> None:
    assert refusal(Answer(score=0.9), threshold=0.8, last=False) is None
    assert refusal(Answer(score=0.7), threshold=0.8, last=True) == "score 0.700 is below 0.8"
    assert refusal(Answer(score=0.99, problems=("total: missing",)), threshold=0.8, last=True) == "total: missing"


def test_without_a_score_only_the_last_tier_is_trusted() -> None:
    assert refusal(Answer(), threshold=0.8, last=False) is not None
    assert refusal(Answer(), threshold=0.8, last=True) is None
    assert refusal(Answer(problems=("x",)), threshold=0.8, last=True) == "x"
