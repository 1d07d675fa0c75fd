"""From completion to answer: what is typed, grounded and scored, and what keeps a row from being accepted."""

import datetime as dt
import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from slmbatch.chat import Capabilities, Completion, Token, Usage
from slmbatch.errors import TaskError
from slmbatch.run.answers import LabelReader, answer_reader
from slmbatch.run.checked import FORCED, NOT_FOUND
from slmbatch.run.fields import FieldReader
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Answer, Document, Grounded, Leaf, Page

RAW = Capabilities(choice=True, top_logprobs=20, raw_logprobs=True, context_tokens=None)
MASKED = Capabilities(choice=False, top_logprobs=20, raw_logprobs=False, context_tokens=None)
PROPERTIES = {
    "number": {"type": "string", "pattern": r"^\d+$"},
    "day": {"type": "string", "format": "date"},
    "net": {"type": "number"},
    "tax": {"type": "number"},
    "total": {"type": "number"},
    "lines": {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "number"}}}},
}
RULE = {"id": "sum", "expr": "net + tax == total", "tolerance": "0.01", "level": "error"}
PAGES = ("Invoice 4711 of 12 March 2024", "net 100,00\nVAT 19,00\ntotal 119,00\nitem 60,00\nitem 40,00")
RIGHT = {"number": "4711", "day": "12.03.2024", "net": 100.0, "tax": 19.0, "total": 119.0, "lines": [{"amount": 60.0}]}


def document(*pages: str) -> Document:
    return Document("d", "d.txt", None, tuple(Page(number, text) for number, text in enumerate(pages, 1)))


def reader(capabilities: Capabilities = RAW, **extension: Any) -> FieldReader:
    schema = {"type": "object", "properties": PROPERTIES, "required": ["number", "total"], "x-slmbatch": extension}
    made = answer_reader(ExtractTask(compile_schema(schema, name="t", where="t")), capabilities)
    assert isinstance(made, FieldReader)
    return made


def completion(reply: str, logprob: float = -0.1, *, first: dict[str, float] | None = None) -> Completion:
    """One token per character, so that every leaf has tokens of its own; `first` sets the token at a given text."""
    logprobs = [logprob] * len(reply)
    for text, special in (first or {}).items():
        logprobs[reply.index(text)] = special
    tokens = tuple(Token(character.encode(), one) for character, one in zip(reply, logprobs, strict=True))
    return Completion(reply, tokens, Usage())


def read(values: dict[str, Any], **more: Any) -> tuple[Answer, dict[str, Leaf]]:
    answer = reader(rules=[RULE]).read(completion(json.dumps(values), **more), document(*PAGES))
    assert answer is not None
    return answer, {leaf.path: leaf for leaf in answer.leaves}


def test_values_come_back_typed_with_their_place_and_their_score() -> None:
    answer, leaves = read(RIGHT)
    assert answer.problems == ()
    assert leaves["day"].value == dt.date(2024, 3, 12)
    assert leaves["day"].raw == "12.03.2024"
    assert leaves["day"].grounding.found is Grounded.NORMALISED
    assert leaves["total"].value == Decimal("119.0")
    place = leaves["total"].grounding
    assert place.page == 2
    assert PAGES[1][place.start : place.end] == "119,00"
    assert leaves["number"].grounding.found is Grounded.EXACT
    assert leaves["lines[0].amount"].value == Decimal("60.0")
    assert answer.score == pytest.approx(0.9048, abs=1e-4)  # exp(-0.1)


def test_the_row_has_the_score_of_its_worst_required_field() -> None:
    answer, leaves = read(RIGHT, first={"119.0": -4.0, "12.03": -9.0})
    assert leaves["total"].logprob_min == -4.0
    assert answer.score == leaves["total"].score
    day = leaves["day"].score
    assert day is not None
    assert answer.score is not None
    assert day < answer.score  # not required: doesn't count


def test_a_required_value_that_is_not_in_the_document_is_never_accepted() -> None:
    answer, leaves = read(RIGHT | {"number": "4712"})
    assert leaves["number"].problems == (NOT_FOUND,)
    assert answer.problems == (f"number: {NOT_FOUND}",)


def test_an_optional_value_that_is_not_in_the_document_is_only_marked() -> None:
    answer, leaves = read(RIGHT | {"day": "2023-01-01"})
    assert leaves["day"].problems == (NOT_FOUND,)
    assert answer.problems == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"number": None}, "number: required, and missing"),
        ({"number": "47-11"}, r"number: '47-11' doesn't fit the pattern ^\d+$"),
        ({"day": "yesterday"}, "day: 'yesterday' is not a date"),
        ({"tax": "much"}, "tax: 'much' is not a number"),
        ({"tax": "0.0000000001"}, "tax: '0.0000000001' is not a number"),  # more decimals than the column holds
        ({"net": 60.0}, "rule sum is broken: net + tax == total"),
    ],
)
def test_what_fails_its_format_or_a_rule_is_never_accepted(change: dict[str, Any], problem: str) -> None:
    answer, _ = read(RIGHT | change)
    assert problem in answer.problems


def test_a_rule_that_lacks_a_value_says_nothing() -> None:
    assert read(RIGHT | {"tax": None})[0].problems == ()


def test_a_broken_warning_is_noted_and_keeps_nothing_back() -> None:
    made = reader(rules=[RULE | {"level": "warning"}])
    answer = made.read(completion(json.dumps(RIGHT | {"net": 60.0})), document(*PAGES))
    assert answer is not None
    assert answer.problems == ()
    assert answer.warnings == ("rule sum is broken: net + tax == total",)


def test_a_forced_value_is_never_accepted_where_the_engine_shows_it() -> None:
    reply = json.dumps(RIGHT)
    forced = completion(reply, first={"119.0": -5.0})
    answer = reader().read(forced, document(*PAGES))
    assert answer is not None
    assert answer.problems == (f"total: {FORCED}",)
    masked = reader(MASKED).read(forced, document(*PAGES))
    assert masked is not None
    assert masked.problems == ()
    assert all(leaf.forced_logprob is None for leaf in masked.leaves)


def test_the_mass_of_all_labels_is_null_where_a_mask_leaves_nothing_else() -> None:
    task = ClassifyTask(load_labels("card,loan"))
    said = Completion("card", (Token(b"card", math.log(0.2), ((b"loan", math.log(0.1)),)),), Usage())
    raw, masked = (
        answer_reader(task, replace(RAW, raw_logprobs=known)).read(said, document("x")) for known in (True, False)
    )
    assert raw is not None
    assert masked is not None
    assert raw.mass == pytest.approx(0.3)
    assert masked.mass is None
    assert masked.scores == raw.scores


def test_without_logprobs_scores_are_null_not_invented() -> None:
    answer = reader().read(Completion(json.dumps(RIGHT), None, Usage()), document(*PAGES))
    assert answer is not None
    assert answer.score is None
    assert all(leaf.score is None for leaf in answer.leaves)


def test_a_reply_that_breaks_off_keeps_what_it_has_and_is_not_accepted() -> None:
    reply = json.dumps(RIGHT)[:60]
    cut = Completion(reply, completion(reply).tokens, Usage(), cut_short=True)
    answer = reader().read(cut, document(*PAGES))
    assert answer is not None
    assert "the reply breaks off (max_tokens)" in answer.problems
    assert {leaf.path: leaf.raw for leaf in answer.leaves}["number"] == "4711"


def test_a_reply_without_any_value_is_no_answer() -> None:
    assert reader().read(completion("I can't do that."), document(*PAGES)) is None


def test_places_are_right_after_letters_of_several_bytes() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    made = answer_reader(ExtractTask(compile_schema(schema, name="t", where="t")), RAW)
    reply = '{"a": "Müller & Söhne", "b": "x"}'
    answer = made.read(completion(reply, first={'x"}': -2.0}), document("Müller & Söhne x"))
    assert answer is not None
    assert answer.leaves[1].logprob_mean == -2.0


def test_a_rule_about_an_unknown_field_is_refused_when_the_task_is_made() -> None:
    with pytest.raises(TaskError, match="totl"):
        reader(rules=[RULE | {"expr": "net + tax == totl"}])


def test_labels_are_scored_in_both_shapes_of_reply() -> None:
    task = ClassifyTask(load_labels("billing,refund"))
    top = ((b"billing", -0.1), (b"refund", -2.4))
    code = Completion("billing", (Token(b"billing", -0.1, top),), Usage())
    whole = Completion(
        '{"label": "billing"}',
        (Token(b'{"label": "', 0.0), Token(b"billing", -0.1, top), Token(b'"}', 0.0)),
        Usage(),
    )
    for capabilities, one in ((RAW, code), (MASKED, whole)):
        answer = LabelReader(task, capabilities).read(one, document("x"))
        assert answer is not None
        assert answer.label == "billing"
        assert dict(answer.scores) == pytest.approx({"billing": 0.9089, "refund": 0.0911}, abs=1e-3)
