import numpy as np

from slmbatch.certificates.counting import Target, risk
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.planning import Batch, Plan
from slmbatch.certificates.shares import plan_classes, plan_fields, share
from slmbatch.certificates.ways import default_chances, ranked_way


def test_delta_is_divided_and_the_target_is_not() -> None:
    assert share(Target(0.9, 0.1), 4) == Target(0.9, 0.025)


def test_every_class_has_its_own_sample_and_a_rare_one_is_refused() -> None:
    sizes = {"card": 900, "loan": 400, "other": 9}
    ways = {name: (ranked_way([default_chances(size)]), Batch(size, size)) for name, size in sizes.items()}
    plans = plan_classes(ways, Target(0.95, 0.1))
    assert isinstance(plans["other"], Refusal)
    for name in ("card", "loan"):
        made = plans[name]
        assert isinstance(made, Plan)
        assert made.allowed == sizes[name] // 20
        assert made.risk <= 0.1 / 3


def test_fields_share_one_sample_in_which_each_tolerates_what_it_may() -> None:
    easy, hard, hopeless = 0.1 * default_chances(1_000), default_chances(1_000), np.full(1_000, 0.95)
    ways = {name: ranked_way([one]) for name, one in (("total", easy), ("date", hard), ("name", hopeless))}
    made = plan_fields(ways, Batch(1_000, 1_000), Target(0.95, 0.1))
    assert set(made.tolerated) == {"total", "date"}
    assert set(made.refused) == {"name"}
    assert made.tolerated["total"] == made.tolerated["date"]  # the same numbers: only the lines differ
    numbers = {"pool": 1_000, "allowed": 50, "sample": made.sample}
    assert risk(tolerated=made.tolerated["date"], **numbers) <= 0.1 / 3
    assert risk(tolerated=made.tolerated["date"] + 1, **numbers) > 0.1 / 3
