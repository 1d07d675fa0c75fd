"""Answers of a calibrated tier, where other tiers have told some of the fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slmbatch.certificates.curves import Curve
from slmbatch.confidence.gate import doubtful, refusal
from slmbatch.run.calibrated import calibrated
from slmbatch.types import Answer, Leaf

HALVING = Curve("isotonic", ((0.5, 0.25), (0.9, 0.45)))
OWN = Leaf("total", "1", "1", score=0.9, required=True)
EARLIER = Leaf("date", "2", "2", score=0.3, confidence=0.97, required=True, tier="rules")


def test_fields_that_an_earlier_tier_found_keep_their_confidence() -> None:
    told = calibrated(Answer(leaves=(OWN, EARLIER), score=0.9), HALVING, "openai:m")
    assert [leaf.confidence for leaf in told.leaves] == [pytest.approx(0.45), 0.97]
    assert [leaf.score for leaf in told.leaves] == [0.9, 0.3]
    assert (told.score, told.confidence) == (0.9, pytest.approx(0.45))


def test_the_threshold_is_for_the_confidence_of_what_one_source_alone_tells() -> None:
    answer = Answer(leaves=(OWN, EARLIER), score=0.9)
    assert refusal(answer, threshold=0.8, last=False) is None
    told = calibrated(answer, HALVING, "openai:m")
    assert refusal(told, threshold=0.8, last=False) == "confidence 0.450 is below 0.8"
    assert [doubtful(leaf, threshold=0.8) for leaf in told.leaves] == [True, False]
    assert refusal(told, threshold=0.4, last=False) is None
    agreed = calibrated(Answer(leaves=(replace(OWN, agreed=True), EARLIER), score=0.97), HALVING, "openai:m")
    assert agreed.confidence == 0.97
    assert refusal(agreed, threshold=0.8, last=False) is None


def test_what_has_no_score_has_no_confidence_and_is_judged_as_before() -> None:
    unknown = Leaf("total", "1", "1", required=True)
    told = calibrated(Answer(leaves=(unknown, EARLIER)), HALVING, "openai:m")
    assert (told.confidence, told.calibrated) == (None, False)
    assert refusal(told, threshold=0.1, last=False) == "no score: this engine tells no logprobs"
    assert calibrated(Answer(label="a"), HALVING, "openai:m").confidence is None
