"""What earlier rows tell: the features of a record, and what fewer tiers would have made of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import logit

from slmbatch.certificates.counting import Target
from slmbatch.errors import ConfigError
from slmbatch.readers import ReadOptions
from slmbatch.run.certified.leaving import choose, walk
from slmbatch.run.certified.lessons import EarlierRun
from slmbatch.run.certified.ranker import classes_of, feature_names, features_of
from slmbatch.run.config import load_config
from slmbatch.run.plan import Choices, Plan, make_plan
from slmbatch.run.promise import Promise
from slmbatch.store.folder import RunFolder
from slmbatch.store.records import PART, record
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Answer, Attempt, Grounded, Grounding, Leaf, Result, Status
from tests.store.made import key

FIRST, MIDDLE, TOP = (f"openai:{name}@http://127.0.0.1:9/v1" for name in ("first", "middle", "top"))
ROWS = 300
AIM = Target(0.9, 0.1)


def settled(number: int, *told: tuple[str, str, float | None]) -> Result:
    """A row that these tiers answered, each with a label and a score."""
    attempts = tuple(Attempt(tier, Answer(label, score=score), usd=Decimal("0.001")) for tier, label, score in told)
    return Result(key(number), Status.ACCEPTED, attempts, len(attempts) - 1, characters=99)


def earlier(folder: Path, *told: Result, top: list[str], left_out: tuple[str, ...] = ()) -> EarlierRun:
    table = pa.Table.from_pylist([record(one) for one in told], PART)
    wrong = np.array([one.attempts[-1].answer.label for one in told if one.attempts[-1].answer]) != np.array(top)
    keys = np.array([one.key for one in told], "S16")
    drawn = np.ones(len(told), bool)
    return EarlierRun(RunFolder(folder), len(told), left_out, keys, table, tuple(top), wrong, drawn)


def plan(
    folder: Path,
    tiers: tuple[str, ...] = (FIRST, MIDDLE, TOP),
    *,
    leave_out: bool = True,
    threshold: float = 0.8,
    top_price: str = "0",
) -> Plan:
    text = folder / "text.txt"
    text.write_text("a text")
    prices = (*(f"{one}=0" for one in tiers[:-1]), f"{tiers[-1]}={top_price}")
    promise = Promise(Decimal("0.9"), Decimal("0.1"), earlier=(folder,), leave_out=leave_out)
    chosen = Choices((str(text),), folder, tiers[0], tiers[1:], threshold, prices=prices, promise=promise)
    return make_plan(ClassifyTask(load_labels("card,loan")), chosen, load_config(None), ReadOptions(workers=1))


def named(table: pa.Table, *tiers: str) -> list[dict[str, float]]:
    return [dict(zip(feature_names(tiers), row, strict=True)) for row in features_of(table, tiers).tolist()]


def test_features_of_labels_say_what_tiers_said_and_what_is_missing() -> None:
    answer = Answer("loan", (("loan", 0.7), ("card", 0.2), ("other", 0.1)), mass=0.9, score=0.7, warnings=("cut",))
    attempts = (Attempt("a", Answer("card", score=0.6)), Attempt("b", answer, truncated=True))
    both = Result(key(1), Status.ACCEPTED, attempts, 1, characters=99)
    alone = settled(2, ("a", "card", None))
    table = pa.Table.from_pylist([record(both), record(alone)], PART)
    one, other = named(table, "a", "b")
    assert one["score"] == one["score of b"] == pytest.approx(logit(0.7))
    assert (one["second best"], one["margin"]) == (pytest.approx(logit(0.2)), pytest.approx(0.5))
    assert (one["score of a"], one["answer of a"], one["answer of b"]) == (pytest.approx(logit(0.6)), 0, 1)
    assert (one["earlier tiers agree"], one["truncated"], one["warnings"]) == (0, 1, 1)
    assert (one["no margin"], one["no fields"], other["no margin"]) == (0, 1, 1)
    assert (other["score"], other["no score"], other["no score of b"], other["answer of a"]) == (0, 1, 1, 1)
    assert classes_of(table).tolist() == ["loan", "card"]


def test_features_of_fields_say_what_checks_and_the_text_say() -> None:
    near = Grounding(Grounded.FUZZY, distance=1)  # what is nearly there isn't
    leaves = (
        Leaf("total", Decimal(5), "5", score=0.9, grounding=Grounding(Grounded.EXACT, ocr=0.8), agreed=True),
        Leaf("date", "1", "1", score=0.5, forced_logprob=-2.0, problems=("not a date",), grounding=near),
        Leaf("name", None, None),
    )
    attempt = Attempt("a", Answer(leaves=leaves, score=0.5))
    table = pa.Table.from_pylist([record(Result(key(1), Status.ACCEPTED, (attempt,), 0))], PART)
    (one,) = named(table, "a")
    assert one["fields"] == pytest.approx(np.log1p(2))
    shares = ("empty", "not in the text", "told twice", "failed checks")
    assert [one[name] for name in shares] == pytest.approx([1 / 3, 1 / 2, 1 / 2, 1])
    assert (one["forced"], one["ocr"], one["no margin"]) == (-2, 0.8, 1)
    assert one["mean score"] == pytest.approx((logit(0.9) + logit(0.5)) / 2)
    assert classes_of(table).tolist() == [""]


def test_fewer_tiers_say_what_they_said_in_the_run_of_all(tmp_path: Path) -> None:
    kept = settled(1, (FIRST, "card", 0.9))
    up = settled(2, (FIRST, "card", 0.5), (MIDDLE, "loan", 0.6))
    run = earlier(tmp_path, kept, up, top=["card", "loan"])
    alone = walk([run], [FIRST], plan(tmp_path))
    assert alone is not None
    assert (alone.scores.tolist(), alone.wrong.tolist()) == ([0.9, 0.5], [False, True])
    assert alone.usd.tolist() == [0.001, 0.001]
    both = walk([run], [FIRST, MIDDLE], plan(tmp_path))
    assert both is not None
    assert (both.scores.tolist(), both.wrong.tolist()) == ([0.9, 0.6], [False, False])
    assert both.usd.tolist() == [0.001, 0.002]
    assert walk([run], [MIDDLE], plan(tmp_path)) is None  # nobody asked it about the first row
    assert walk([replace(run, drawn=np.array([False, True]))], [MIDDLE], plan(tmp_path)) is not None
    silent = replace(up.attempts[0], answer=None, error_kind="timed_out")
    failed = earlier(tmp_path, replace(up, attempts=(silent, up.attempts[1])), top=["loan"])
    left = walk([failed], [FIRST], plan(tmp_path))
    assert left is not None
    assert (left.usable.tolist(), left.wrong.tolist(), np.isnan(left.scores).tolist()) == ([False], [True], [True])


def night(folder: Path, *, middle_right: float, kept: int = 0) -> EarlierRun:
    """The first tier is right 7 times in 10 and its score says nothing; it keeps few rows or none."""
    random = np.random.default_rng(1)
    told = []
    for number in range(ROWS - kept):
        first = "card" if random.random() < 0.7 else "loan"
        middle = "card" if random.random() < middle_right else "loan"
        score = float(random.uniform(0.5, 0.99)) if middle == "loan" else float(random.uniform(0.7, 1))
        told.append(settled(number, (FIRST, first, float(random.uniform(0.1, 0.7))), (MIDDLE, middle, score)))
    told += [settled(number, (FIRST, "card", 0.9)) for number in range(ROWS - kept, ROWS)]
    return earlier(folder, *told, top=["card"] * ROWS)


def test_a_tier_that_does_better_stays(tmp_path: Path) -> None:
    run = night(tmp_path, middle_right=0.9)
    choice = choose([run], plan(tmp_path), AIM)
    assert choice.left_out == ()  # the top tier's answers are all that counts here, and the first tier costs none
    (said,) = choice.said
    assert said.startswith("No tier is left out: by 300 earlier rows a run takes ")
    assert choose([run], plan(tmp_path, leave_out=False), AIM).said == ()


def test_a_tier_that_does_worse_goes_where_that_is_asked_for(tmp_path: Path) -> None:
    run = night(tmp_path, middle_right=0.3)
    run = replace(run, settled=_surer_first(run.settled))
    choice = choose([run], plan(tmp_path, threshold=1), AIM)
    assert choice.left_out == (MIDDLE,)
    assert f"{MIDDLE} is left out" in choice.said[0]
    advice = choose([run], plan(tmp_path, threshold=1, leave_out=False), AIM)
    assert (advice.left_out, len(advice.said)) == ((), 1)
    assert "With --leave-out it isn't asked." in advice.said[0]


@pytest.mark.parametrize(
    ("price", "kept", "left_out"),
    [("2/2", 3, (MIDDLE,)), ("2000/2000", 3, ()), ("20/20", 0, (FIRST,))],
)
def test_what_pays_is_a_question_of_prices(tmp_path: Path, price: str, kept: int, left_out: tuple[str, ...]) -> None:
    run = night(tmp_path, middle_right=0.9, kept=kept)  # each question to the cheap tiers has cost 0.001 USD
    answered = run.folder.stage("answers").parts
    answered.mkdir(parents=True)
    pq.write_table(run.settled, answered / "part-000000.parquet")
    choice = choose([run], plan(tmp_path, top_price=price), AIM)
    assert choice.left_out == left_out
    assert f"of the cost of {TOP} alone without {(left_out or (MIDDLE,))[0]}, " in choice.said[0]
    unknown = f"What a run without {FIRST} would say of every row isn't known."
    assert (unknown in choice.said) == bool(kept)  # the middle tier wasn't asked about these


def _surer_first(table: pa.Table) -> pa.Table:
    """Let the first tier's score tell right answers from wrong ones."""
    rows = table.to_pylist()
    for one in rows:
        first = one["attempts"][0]
        first["score"] = 0.6 if first["label"] == "card" else 0.3
    return pa.Table.from_pylist(rows, PART)


def test_what_was_left_out_stays_so_while_nothing_tells_otherwise(tmp_path: Path) -> None:
    told = [settled(number, (FIRST, "card", 0.9)) for number in range(ROWS)]
    run = earlier(tmp_path, *told, top=["card"] * ROWS, left_out=(MIDDLE,))
    choice = choose([run], plan(tmp_path), AIM)
    assert choice.left_out == (MIDDLE,)
    assert "stays left out" in choice.said[0]
    assert choose([run], plan(tmp_path, leave_out=False), AIM).left_out == ()


def test_there_must_be_a_tier_to_leave_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only one below the last"):
        choose([], plan(tmp_path, (FIRST, TOP)), AIM)
    task = ExtractTask(compile_schema({"type": "object", "properties": {"a": {"type": "string"}}}, name="m", where="m"))
    with pytest.raises(ConfigError, match="fields of one tier alone"):
        choose([], replace(plan(tmp_path), task=task), AIM)
    assert choose([], plan(tmp_path, (FIRST, TOP), leave_out=False), AIM).said == ()
