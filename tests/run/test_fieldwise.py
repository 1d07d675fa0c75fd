"""What goes up is what is in doubt: which fields are asked, showing what, and what the reply makes of the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from slmbatch.chat import Capabilities, Completion, Usage
from slmbatch.confidence.gate import refusal, told_twice
from slmbatch.run.fieldwise import Fieldwise, Question
from slmbatch.run.repairing import CheckedFields
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Answer, Attempt, Document, Grounded, Grounding, Leaf, Page

TOLD = Capabilities(choice=False, top_logprobs=0, raw_logprobs=False, context_tokens=None)
TASK = ExtractTask(
    compile_schema(
        {
            "type": "object",
            "required": ["number", "total"],
            "properties": {
                "number": {"type": "string", "x-slmbatch": {"labels": ["Invoice no"]}},
                "net": {"type": "number"},
                "tax": {"type": "number"},
                "total": {"type": "number"},
                "paid": {"type": "boolean"},
                "lines": {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "number"}}}},
            },
            "x-slmbatch": {"rules": [{"id": "sum", "expr": "net + tax == total", "tolerance": "0.01"}]},
        },
        name="made",
        where="made",
    )
)
TEXT = "Invoice no R-17\nDesk 60.00\nChair 40.00\nnet 100.00\ntax 19.00\ntotal 119.00\npaid: yes"
SURE: dict[str, tuple[object, float | None]] = {
    "number": ("R-17", 0.95),
    "net": (Decimal(100), 0.95),
    "tax": (Decimal(19), 0.95),
    "total": (Decimal(119), 0.95),
    "paid": (True, 0.95),
    "lines[0].amount": (Decimal(60), 0.95),
    "lines[1].amount": (Decimal(40), 0.95),
}
FIELDWISE = Fieldwise(TASK, threshold=0.9)


def document(text: str = TEXT) -> Document:
    return Document("d", "d.txt", None, (Page(1, text),))


def attempt(changes: dict[str, tuple[object, float | None]], *, found: Grounded = Grounded.EXACT) -> Attempt:
    """What a first tier said: everything surely, but for some changes; None leaves a field out."""
    told = {**SURE, **changes}
    leaves = [
        Leaf(path, value, str(value), score, grounding=Grounding(found if path in changes else Grounded.EXACT, 1, 0, 4))  # type: ignore[arg-type]
        for path, (value, score) in told.items()
        if value is not None
    ]
    return Attempt("rules", CheckedFields(TASK).answer(leaves, (), document()))


def question(before: Attempt, text: str = TEXT) -> Question:
    made = FIELDWISE.question(document(text), before)
    assert made is not None
    return made


def answered(before: Attempt, reply: object, text: str = TEXT) -> Answer:
    completion = Completion(json.dumps(reply), None, Usage(10, 0, 5))
    answer = FIELDWISE.read(question(before, text), completion, document(text), TOLD)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"number": ("R-17", 0.5)}, ("number",)),
        ({"number": ("R-17", None)}, ("number",)),  # no score: nothing vouches for it
        ({"number": (None, None), "paid": (None, None)}, ("number", "paid")),
        ({"lines[1].amount": (Decimal(40), 0.2)}, ("lines",)),  # a list is asked for as a whole
        ({"lines[0].amount": (None, None), "lines[1].amount": (None, None)}, ("lines",)),
        ({"total": (Decimal("119.01"), 0.95), "number": ("R-1", 0.1)}, ("number",)),  # within the rule's tolerance
    ],
)
def test_only_what_is_in_doubt_is_asked_for(
    changes: dict[str, tuple[object, float | None]], asked: tuple[str, ...]
) -> None:
    made = question(attempt(changes))
    assert made.asked == asked
    request = made.request(made.text, TOLD)
    assert list(json.loads(request.shape.schema)["properties"]) == list(asked)  # type: ignore[union-attr]
    assert request.max_tokens < TASK.max_tokens


def test_what_would_only_just_pass_goes_along_once_a_document_goes_up() -> None:
    """Where one field is doubtful, others are wrong more often: up to the middle between the threshold and 1."""
    made = question(attempt({"number": ("R-17", 0.5), "net": (Decimal(100), 0.94)}))
    assert made.asked == ("number", "net")


@pytest.mark.parametrize(
    ("reply", "net", "tier"),
    [
        ({"net": None}, 100, "rules"),
        ({"net": 101.5}, 100, "rules"),  # isn't in the document
        ({"net": 60.0}, 60, None),  # told without a score, as engines without logprobs do
    ],
)
def test_a_value_that_would_pass_gives_way_to_no_failure(reply: dict[str, object], net: int, tier: str | None) -> None:
    before = attempt({"number": ("R-17", 0.5), "net": (Decimal(100), 0.94), "tax": (None, None)})
    answer = answered(before, {"number": "R-17", "tax": None, **reply})
    (leaf,) = [leaf for leaf in answer.leaves if leaf.path == "net"]
    assert (leaf.value, leaf.tier) == (Decimal(net), tier)


def test_all_amounts_of_a_broken_sum_are_in_doubt_however_sure_their_tier() -> None:
    made = question(attempt({"net": (Decimal(60), 0.99), "tax": (Decimal(40), 0.99)}))
    assert made.asked == ("net", "tax", "total")
    assert "It must hold: net + tax == total" in made.request(made.text, TOLD).messages[-1].content


def test_a_value_that_is_not_in_the_document_is_named_as_wrong_and_a_doubted_one_is_not() -> None:
    """Who is told a value and says it again hasn't said it independently."""
    invented = question(attempt({"number": ("R-99", 0.99)}, found=Grounded.NONE))
    assert "number isn't 'R-99': not found" in invented.request(invented.text, TOLD).messages[-1].content
    doubted = question(attempt({"number": ("R-17", 0.1)}))
    assert doubted.failed == ()


def test_everything_is_asked_where_nothing_is_known_or_nothing_is_sure() -> None:
    unsure = attempt({path: (value, 0.1) for path, (value, _) in SURE.items()})
    assert FIELDWISE.question(document(), unsure) is None
    assert FIELDWISE.question(document(), None) is None
    assert FIELDWISE.question(document(), Attempt("first", None, error_kind="timeout")) is None


def test_the_reply_takes_the_place_of_what_was_asked_for_and_the_rest_stays() -> None:
    answer = answered(attempt({"number": ("Invoice", 0.5)}), {"number": "R-17", "total": 7})
    leaves = {leaf.path: leaf for leaf in answer.leaves}
    assert (leaves["number"].value, leaves["number"].tier, leaves["number"].agreed) == ("R-17", None, False)
    assert (leaves["total"].value, leaves["total"].tier) == (Decimal(119), "rules")  # it wasn't asked for
    assert [*leaves] == list(SURE)
    assert answer.problems == ()


def test_a_list_is_replaced_whole() -> None:
    answer = answered(attempt({"lines[1].amount": (Decimal(19), 0.2)}), {"lines": [{"amount": 60.0}]})
    assert [leaf.path for leaf in answer.leaves if leaf.path.startswith("lines")] == ["lines[0].amount"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ({"number": "R-99"}, "number: not found in the document"),
        ({"number": None}, "number: required, and missing"),
    ],
)
def test_a_reply_passes_the_same_checks(reply: dict[str, object], why: str) -> None:
    answer = answered(attempt({"number": ("R-17", 0.5)}), reply)
    assert answer.problems == (why,)
    assert refusal(answer, threshold=0.9, last=True) == why


def test_a_value_put_together_from_two_tiers_must_keep_the_rules() -> None:
    answer = answered(attempt({"total": (Decimal(119), 0.5)}), {"total": 60.0}, TEXT.replace("total 119.00", "sum"))
    assert answer.problems == ("rule sum is broken: net + tax == total",)


def test_two_tiers_that_agree_are_trusted_and_their_scores_stay_what_they_were() -> None:
    before = attempt({"number": ("R-17", 0.5), "total": (Decimal(119), None)})
    answer = answered(before, {"number": "r 17", "total": "119,00"})
    number = next(leaf for leaf in answer.leaves if leaf.path == "number")
    assert (number.agreed, number.score, number.confidence) == (True, None, None)
    assert told_twice(answer.leaves)
    assert refusal(answer, threshold=0.9, last=False) is None


@pytest.mark.parametrize("value", ["R-18", "R-99"])
def test_two_tiers_that_differ_or_agree_on_what_is_not_there_are_not(value: str) -> None:
    before = attempt({"number": ("R-99", 0.5)}, found=Grounded.NONE)
    answer = answered(before, {"number": value}, TEXT.replace("R-17", "R-18"))
    assert not told_twice(answer.leaves)
    assert refusal(answer, threshold=0.9, last=False) is not None


def test_two_tiers_that_divide_the_same_digits_differently_do_not_agree() -> None:
    before = attempt({"number": ("R-17", 0.5)})
    answer = answered(before, {"number": "R-1.7"}, TEXT.replace("R-17", "R-1.7"))
    assert not next(leaf for leaf in answer.leaves if leaf.path == "number").agreed


def test_a_short_text_is_shown_whole_and_of_a_long_one_what_can_hold_the_fields() -> None:
    before = attempt({"number": ("R-17", 0.5)})
    assert question(before).text == TEXT
    filler = "\n".join(f"clause {number} of the general terms and conditions" for number in range(200))
    made = question(before, f"{filler}\n{TEXT}\n{filler}")
    assert made.parts
    assert "Invoice no R-17" in made.text
    assert len(made.text) < len(filler) / 3
    lines = question(attempt({"lines[0].amount": (Decimal(60), 0.1)}), f"{filler}\n{TEXT}\n{filler}")
    assert not lines.parts  # a table may stand anywhere
    paid = question(attempt({"paid": (True, 0.1)}), f"{filler}\n{TEXT}\n{filler}")
    assert not paid.parts  # and a conclusion may rest on anything


def test_a_value_is_looked_for_in_the_whole_document_and_not_in_what_was_shown() -> None:
    before = attempt({"number": ("R-17", 0.5)})
    filler = "\n".join(f"clause {number} of the general terms" for number in range(300))
    text = f"{TEXT}\n{filler}\nreminder Q-5\n{filler}"
    assert "Q-5" not in question(before, text).text
    answer = answered(before, {"number": "Q-5"}, text)
    assert answer.problems == ()


def test_what_was_spared_is_in_proportion_to_what_was_left_out() -> None:
    before = attempt({"number": ("R-17", 0.5)})
    made = question(before)
    assert before.answer is not None
    sent = len(made.task.instructions) + len(TEXT)
    spared = FIELDWISE.spared(made, Usage(sent, 0, 10), before.answer, shown=len(TEXT), whole=len(TEXT) + 1000)
    assert spared.input_tokens == len(TASK.instructions) + len(TEXT) + 1000 - sent
    assert spared.output_tokens > 10
    thought = FIELDWISE.spared(
        made, Usage(sent, 0, 10, reasoning_tokens=10), before.answer, shown=len(TEXT), whole=len(TEXT)
    )
    assert thought.output_tokens == 0  # thinking isn't longer for more fields


def test_a_leaf_keeps_the_tier_that_found_it_over_several() -> None:
    first = attempt({"number": ("Invoice", 0.5), "total": (Decimal(100), 0.4)})
    second = replace(first, tier="second", answer=answered(first, {"number": None, "total": 119.0}))
    third = answered(second, {"number": "R-17"})
    tiers = {leaf.path: leaf.tier for leaf in third.leaves}
    assert (tiers["number"], tiers["net"]) == (None, "rules")
