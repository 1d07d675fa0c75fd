"""Plans for every class and every field: how delta is shared, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from slmbatch.certificates.calibration import Doubles
from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.counting import Target, risk
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.parts import Part, drawn, make_part
from slmbatch.certificates.shares import Plans, plan_classes, plan_fields, share
from slmbatch.certificates.ways import Way, default_chances, ranked_way

TARGET = Target(0.95, 0.1)


def classes(sizes: dict[str, int]) -> tuple[dict[str, Part], dict[str, Way]]:
    """Classes of so many rows, one after the other."""
    parts: dict[str, Part] = {}
    for name, size in sizes.items():
        first = sum(len(one.places) for one in parts.values())
        ids = [str(first + number) for number in range(size)]
        frozen = Frozen(ids, np.linspace(1, 0, size).tolist(), [name] * size)
        parts[name] = make_part(frozen, np.arange(first, first + size), rows=size, seed=0)
    return parts, {name: ranked_way([default_chances(size)]) for name, size in sizes.items()}


def fields(chances: dict[str, Doubles], *, seed: int = 0) -> tuple[dict[str, Part], dict[str, Way]]:
    """Fields of the same documents, each ranked in an order of its own."""
    parts = {}
    for place, (name, one) in enumerate(chances.items()):
        scores = np.random.default_rng(place).random(len(one))
        frozen = Frozen([str(number) for number in range(len(one))], scores.tolist(), [name] * len(one))
        parts[name] = make_part(frozen, np.arange(len(one)), rows=len(one), seed=seed)
    return parts, {name: ranked_way([one]) for name, one in chances.items()}


def test_delta_is_divided_and_the_target_is_not() -> None:
    assert share(Target(0.9, 0.1), 4) == Target(0.9, 0.025)


def test_every_class_has_its_own_sample_and_one_that_is_hopeless_takes_no_share() -> None:
    sizes = {"card": 900, "loan": 400, "other": 9}
    parts, ways = classes(sizes)
    made = plan_classes(parts, ways, TARGET, rows=1_400, prices=(Decimal(0), Decimal(1)))
    assert isinstance(made, Plans)
    assert set(made.refused) == {"other"}
    for name, one in made.plans.items():
        assert (one.rows, one.allowed, one.target.delta) == (sizes[name], sizes[name] // 20, 0.05)
        assert one.risk <= 0.05
    assert made.labels == sum(one.sample for one in made.plans.values())
    up = made.asked.expected - sum(one.asked[-1].expected for one in made.plans.values())
    assert up == 1_400 - 1_300  # of a class that is refused, and of no class
    assert made.asked.low <= made.asked.expected <= made.asked.high < 1_400
    assert made.usd == made.asked.expected
    assert made.alone_usd == 1_400


def test_a_class_that_its_share_is_too_small_for_leaves_it_to_the_others() -> None:
    sizes = {"card": 2_000, "loan": 2_000, **{f"rare {number}": 45 for number in range(8)}}
    parts, ways = classes(sizes)
    assert isinstance(plan_classes(*classes({"rare": 45}), TARGET, rows=45), Plans)
    made = plan_classes(parts, ways, TARGET, rows=4_360)
    assert isinstance(made, Plans)
    assert set(made.plans) == {"card", "loan"}
    assert {one.target.delta for one in made.plans.values()} == {0.05}


def test_no_class_at_all_is_a_refusal_that_names_the_largest() -> None:
    made = plan_classes(*classes({"card": 12, "loan": 9}), TARGET, rows=21)
    assert isinstance(made, Refusal)
    assert made.message.startswith("card: ")
    assert (made.reason, made.numbers["refused"]) == (Reason.TOO_FEW_ROWS, 2)
    assert isinstance(plan_classes({}, {}, TARGET, rows=5), Refusal)


def test_fields_share_one_sample_in_which_each_tolerates_what_it_may() -> None:
    easy, hard = 0.1 * default_chances(1_000), default_chances(1_000)
    parts, ways = fields({"total": easy, "date": hard, "name": hard})
    made = plan_fields(parts, ways, TARGET)
    assert isinstance(made, Plans)
    total, date = made.plans["total"], made.plans["date"]
    assert total.sample == date.sample == made.labels
    assert total.tolerated == date.tolerated  # the same numbers: only the lines differ
    numbers = {"pool": 1_000, "allowed": 50, "sample": made.labels}
    assert date.risk == risk(tolerated=date.tolerated, **numbers) <= 0.1 / 3
    assert risk(tolerated=date.tolerated + 1, **numbers) > 0.1 / 3
    kept = 1_000 - made.asked.expected
    alone = min(1_000 - one.asked[-1].expected for one in made.plans.values())
    assert 0 < kept < alone  # a document goes up for any of its fields
    for one in parts.values():
        assert set(drawn({"": one}, {"": made.labels}).tolist()) == set(drawn(parts, {"date": made.labels}).tolist())


def test_a_field_of_which_nothing_can_be_kept_refuses_the_whole() -> None:
    hopeless = np.full(1_000, 0.95)
    made = plan_fields(*fields({"total": 0.1 * default_chances(1_000), "name": hopeless}), TARGET)
    assert isinstance(made, Refusal)
    assert made.message.startswith("name: ")


def test_many_fields_that_go_up_for_each_other_save_too_little() -> None:
    made = plan_fields(*fields({f"field {number}": default_chances(400) for number in range(20)}), TARGET)
    assert isinstance(made, Refusal)
    assert made.reason is Reason.SAVES_TOO_LITTLE
    assert "before the lines of all fields" in made.message


def test_no_label_is_bought_where_too_few_documents_stay_for_their_gate() -> None:
    made = plan_fields(*fields({name: default_chances(600) for name in ("total", "date", "name")}), Target(0.85, 0.1))
    assert isinstance(made, Refusal)
    assert made.reason is Reason.KEPT_ROWS_WRONG
    assert 0.05 * 600 <= made.numbers["kept"] < made.numbers["needed"]


def test_promises_for_a_few_rare_classes_are_not_worth_two_rounds() -> None:
    parts, ways = classes({"card": 100, **{f"rare {number}": 30 for number in range(60)}})
    made = plan_classes(parts, ways, Target(0.9, 0.1), rows=1_900)
    assert isinstance(made, Refusal)
    assert made.reason is Reason.SAVES_TOO_LITTLE
    assert "1 of 61 classes have rows enough" in made.message
