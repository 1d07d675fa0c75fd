"""Runs with a certificate for every class or field: real heads and rules, kills, what `verify` finds of changes."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from slmbatch.run.certified.proof import sha256_of_files, verify
from slmbatch.store.folder import RunFolder
from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    finish,
    results,
    right_label,
    slmbatch,
    start,
    write_rows,
    write_table,
)

from .test_certified import (
    TOPICS,
    certificate,
    certify_file,
    command,
    edited,
    first_part,
    kill_at,
    paid,
    relabel,
    stated,
    tickets,
)

ROWS, TARGET = 1_500, 0.9


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A head that has seen some texts of each label, and one that has seen many."""
    folder = tmp_path_factory.mktemp("heads")
    for name, count in (("small", 60), ("large", 500)):
        texts, topics = tickets(count, seed=1)
        (folder / f"{name}.jsonl").write_text(
            "\n".join(json.dumps({"text": text, "label": topic}) for text, topic in zip(texts, topics, strict=True))
        )
        ran = slmbatch("train", folder / f"{name}.jsonl", "-o", folder / name, "--quiet")
        assert ran.code == 0, ran.err
    return folder / "small", folder / "large"


@pytest.fixture(scope="module")
def by_class(heads: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a certificate for each topic. Few texts are about crashes: too few for one."""
    folder = tmp_path_factory.mktemp("classes")
    texts, topics = tickets(ROWS, seed=2)
    few = [text for text, topic in zip(texts, topics, strict=True) if topic == "crash"][:12]
    texts = few + [text for text, topic in zip(texts, topics, strict=True) if topic != "crash"]
    table = write_table(folder / "tickets.parquet", texts)
    ran = slmbatch(*command(table, folder / "out", heads), "--target", TARGET, "--per", "class")
    assert ran.code == 0, ran.err
    (folder / "err").write_text(ran.err)
    return folder / "out"


def test_every_class_keeps_its_promise_and_what_has_none_goes_up_whole(
    by_class: Path, heads: tuple[Path, Path], tmp_path: Path
) -> None:
    told, rows = certificate(by_class), results(by_class)
    assert set(told["certificates"]) | set(told["refused"]) == set(TOPICS)
    assert "crash" in told["refused"]
    assert {one["delta"] for one in told["certificates"].values()} == {0.1 / told["planned"]}
    kept = Counter(row["label"] for row in rows if row["tier"] == f"head:{heads[0]}")
    assert kept == {name: one["kept"] for name, one in told["certificates"].items()}
    table = by_class.parent / "tickets.parquet"
    said = []
    for head in heads:
        alone = ["classify", table, "--labels", ",".join(TOPICS), "-o", tmp_path / head.name, "--model", f"head:{head}"]
        assert slmbatch(*alone, "--threshold", "0").code == 0
        said.append([row["label"] for row in results(tmp_path / head.name)])
    cheap, top = said
    assert [row["label"] for row in rows if row["tier"] != f"head:{heads[0]}"] == [
        label for row, label in zip(rows, top, strict=True) if row["tier"] != f"head:{heads[0]}"
    ]
    wrong = Counter(one for row, one, best in zip(rows, cheap, top, strict=True) if row["label"] != best)
    for name, one in told["certificates"].items():
        assert one["rows"] == cheap.count(name)
        assert wrong[name] <= one["allowed"]
    assert wrong.keys() <= told["certificates"].keys()


def test_plan_report_and_verify_name_every_class(by_class: Path) -> None:
    told, said = certificate(by_class), (by_class.parent / "err").read_text()
    assert "Certificates for each class: with 90% certainty for all " in said
    report, page = slmbatch("report", by_class).out, (by_class / "report.html").read_text()
    ran = slmbatch("verify", by_class)
    assert ran.code == 0, ran.out
    for name, one in told["certificates"].items():
        assert f"    {name}: {one['sample']:,} of {one['rows']:,} rows, {one['tolerated']} may differ" in said
        for shown in (said, report, ran.out):
            (line,) = (line for line in shown.splitlines() if line.split()[:1] == [name] and len(line.split()) == 6)
            assert line.split()[1:5] == [f"{one[key]:,}" for key in ("rows", "sample")] + [
                str(len(one["error_ranks"])),
                f"{one['kept']:,}",
            ]
        assert f">{name}</t" in page
    assert told["refused"]["crash"]["message"] in report
    facts = json.loads((by_class / "report.json").read_text())["certificate"]
    assert facts["kept"] == sum(one["kept"] for one in told["certificates"].values())


def change(out: Path, name: str, **changes: Any) -> None:
    """Change what one of the certificates says."""
    told = certificate(out)["certificates"]
    stated(out, certificates=told | {name: told[name] | changes})


def swap_certificates(out: Path) -> None:
    told = certificate(out)["certificates"]
    one, other, *_ = told
    stated(out, certificates=told | {one: told[other], other: told[one]})


def drop_certificate(out: Path) -> None:
    told = certificate(out)
    (name, _), *rest = told["certificates"].items()
    stated(out, certificates=dict(rest), refused=told["refused"] | {name: told["refused"]["crash"]})


def another_class(columns: dict[str, list[Any]]) -> None:
    columns["answer"][0] = "login" if columns["answer"][0] != "login" else "billing"


CHANGED: dict[str, Callable[[Path], None]] = {
    "the class of a row": lambda out: edited(certify_file(out, "frozen.parquet"), another_class),
    "a cheap answer": lambda out: edited(first_part(out, "answers"), relabel),
    "two certificates": swap_certificates,
    "a certificate left out": drop_certificate,
    "a class left out": lambda out: stated(out, refused={}),
    "the share of delta": lambda out: change(out, "billing", delta=0.1),
    "delta": lambda out: stated(out, delta=0.2),
    "how many had a plan": lambda out: stated(out, planned=1),
    "the target of one": lambda out: change(out, "billing", agreement=0.95),
    "the target of all": lambda out: stated(out, agreement=0.95),
    "the seed of one": lambda out: change(out, "login", seed=3),
    "who is agreed with": lambda out: change(out, "login", top_tier="openai:gpt-4.1"),
    "a rank": lambda out: change(out, "billing", rank=certificate(out)["certificates"]["billing"]["rank"] + 1),
    "a rank beyond all rows": lambda out: change(out, "billing", rank=10**6),
    "a sample larger than the class": lambda out: change(out, "billing", sample=10**6),
    "kept rows": lambda out: change(out, "billing", kept=1),
    "what is certified": lambda out: stated(out, per="field"),
}


def found_in(out: Path, what: Callable[[Path], None], *, rehashed: bool) -> bool:
    """Whether `verify` finds a change."""
    what(out)
    if rehashed:
        stated(out, files=sha256_of_files(RunFolder(out)))
    return bool(verify(RunFolder(out))[1])


@pytest.mark.parametrize("what", CHANGED)
def test_verify_finds_what_was_changed_of_a_class(by_class: Path, tmp_path: Path, what: str) -> None:
    shutil.copytree(by_class, tmp_path / "out")
    assert not found_in(tmp_path / "out", lambda out: None, rehashed=True)
    assert found_in(tmp_path / "out", CHANGED[what], rehashed=True)


def test_labels_of_classes_plan_another_night_but_are_no_sample_of_all_rows(
    by_class: Path, heads: tuple[Path, Path], tmp_path: Path
) -> None:
    table = write_table(tmp_path / "tickets.parquet", tickets(ROWS, seed=3)[0])
    run = [*command(table, tmp_path / "out", heads), "--target", TARGET]
    ran = slmbatch(*run, "--reuse", by_class)
    assert (ran.code, "drawn for each class" in ran.err) == (2, True), ran.err
    ran = slmbatch(*run, "--per", "class", "--earlier", by_class)
    assert ran.code == 0, ran.err
    assert set(certificate(tmp_path / "out")["certificates"]) == set(TOPICS)
    assert not (tmp_path / "out" / ".slmbatch" / "certify" / "ranking.json").exists()  # a class is ranked by score


@pytest.mark.timeout(240)
def test_a_budget_that_ends_leaves_every_class_to_the_next_session(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(500)), loopback(), loopback()
    run = [*paid(table, tmp_path / "out", cheap, top, "--yes"), "--per", "class"]
    ran = slmbatch(*run, "--max-usd", "0.004")
    assert (ran.code, "No certificate: the budget of 0.004 USD" in ran.err) == (4, True), ran.err
    assert not (tmp_path / "out" / "certificate.json").exists()
    ran = slmbatch(*run, "--max-usd", "1")
    assert ran.code == 0, ran.err
    told = certificate(tmp_path / "out")["certificates"]
    assert (
        top.asked().total()
        == sum(one["sample"] for one in told.values())
        == 500 - sum(one["kept"] for one in told.values())
    )
    assert slmbatch("verify", tmp_path / "out").code == 0


@pytest.mark.timeout(240)
def test_kills_in_any_phase_change_no_class(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(500))
    cheap, top = loopback(latency_s=0.01), loopback(latency_s=0.05)
    run = [*paid(table, tmp_path / "killed", cheap, top, "--yes", "--quiet"), "--per", "class"]
    kill_at(run, (cheap, (200,)), (top, (5, 40)))
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    undisturbed = tmp_path / "undisturbed"
    again = [*paid(table, undisturbed, cheap, top, "--yes", "--quiet"), "--per", "class"]
    assert slmbatch(*again).code == 0
    one, other = (certificate(out) for out in (tmp_path / "killed", undisturbed))
    assert set(one["certificates"]) == set(LABELS)
    assert {**one, "files": 0} == {**other, "files": 0}
    assert slmbatch("verify", tmp_path / "killed").code == 0


def wrong_of_cards(asked: Asked) -> Reply:
    """Answer as the loopback server does, but never "card"."""
    label = right_label(int(asked.text.partition("[row:")[2].partition("]")[0]))
    return completion(json.dumps({"label": "rate" if label == "card" else label}))


@pytest.mark.timeout(240)
def test_one_is_asked_again_when_the_labels_send_a_class_up_whole(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(500)), loopback(), scripted(by=wrong_of_cards)
    person, terminal = os.openpty()
    run = [*paid(table, tmp_path / "out", cheap, top), "--per", "class"]
    process = start(*run, stdin=terminal)
    os.write(person, b"y\ny\n")
    ran = finish(process)
    os.close(person)
    os.close(terminal)
    assert ran.code == 0, ran.err
    told = certificate(tmp_path / "out")
    assert set(told["refused"]) == {"card"}
    assert ran.err.count(f"Ask {top.model} about ") == 2
    assert "(the rest, with all of card: the labels earn no certificate), and go on?" in ran.err
    assert len(top.asked) == 500 - sum(one["kept"] for one in told["certificates"].values())


def test_classes_without_enough_rows_refuse_the_whole_before_anything_is_bought(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(60)), loopback(), loopback()
    run = [*paid(table, tmp_path / "out", cheap, top, "--yes"), "--per", "class"]
    ran = slmbatch(*run, "--strict")
    assert (ran.code, "No certificate: " in ran.err, "needs at least" in ran.err) == (3, True, True), ran.err
    assert top.asked().total() == 0
    assert slmbatch(*run).code == 0
    assert top.asked().total() == 60


SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice no"]}},
        "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}},
    },
}
INVOICES = 400


def invoices(folder: Path) -> Path:
    """Invoices of which some print another amount on top, and some a second number."""
    dice = Random(3)
    texts = []
    for n in range(INVOICES):
        more = f"Invoice no: B-{n}\n" if dice.random() < 0.03 else ""
        texts.append(f"ACME Ltd\n{more}Invoice no: A-{1000 + n}\nTotal: {n + 10}.50 EUR\n")
    return write_table(folder / "docs.parquet", texts)


def best(text: str) -> dict[str, str]:
    """The last number of a text, and its total, but for those that begin with 7: not always what rules find."""
    number, total = text.rpartition("Invoice no: ")[2].split()[0], text.partition("Total: ")[2].split()[0]
    return {"number": number, "total": "1.00" if total.startswith("7") else total}


def answered_best(asked: Asked) -> Reply:
    return completion(json.dumps(best(asked.text)))


@pytest.fixture
def by_field(tmp_path: Path, scripted: Callable[..., Scripted]) -> tuple[Path, list[object], Scripted]:
    """The folder of a run with a certificate for each field, its command, and its last tier."""
    (tmp_path / "s.schema.json").write_text(json.dumps(SCHEMA))
    top, out = scripted(by=answered_best), tmp_path / "out"
    run = ["extract", invoices(tmp_path), "--schema", tmp_path / "s.schema.json", "-o", out, "--escalate", top.model]
    run += ["--target", "0.9", "--per", "field"]
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    return out, run, top


def disagree(columns: dict[str, list[Any]]) -> None:
    columns["differs"] = [[] for _ in columns["differs"]]


def raise_score(columns: dict[str, list[Any]]) -> None:
    columns["total"][0] = columns["total"][0] | {"score": 0.0123}


def other_value(columns: dict[str, list[Any]]) -> None:
    columns["number"][0] = columns["number"][0] | {"answer": columns["number"][1]["answer"]}


FIELD_CHANGED: dict[str, Callable[[Path], None]] = {
    "the score of a field": lambda out: edited(certify_file(out, "by_field.parquet"), raise_score),
    "the answer of a field": lambda out: edited(certify_file(out, "by_field.parquet"), other_value),
    "the fields that differ": lambda out: edited(certify_file(out, "labels.parquet"), disagree),
    "two certificates": swap_certificates,
    "the share of delta": lambda out: change(out, "total", delta=0.1),
    "rows that another field sends up": lambda out: change(
        out, "total", kept=certificate(out)["certificates"]["total"]["kept"] + 1
    ),
    "no scores by field": lambda out: certify_file(out, "by_field.parquet").unlink(),
}


def test_every_field_keeps_its_promise_by_one_sample(
    by_field: tuple[Path, list[object], Scripted], tmp_path: Path
) -> None:
    out, run, top = by_field
    told, rows = certificate(out), results(out)
    number, total = (told["certificates"][name] for name in ("number", "total"))
    assert number["sample"] == total["sample"] > 0
    assert number["error_ranks"] != total["error_ranks"]
    assert number["kept"] == total["kept"] == sum(row["tier"] != top.model for row in rows) > 0
    assert len(top.asked) == INVOICES - total["kept"]
    values = {(row["id"], row["path"]): row["value"] for row in pq.read_table(out / "fields.parquet").to_pylist()}
    texts = pq.read_table(tmp_path / "docs.parquet").to_pylist()
    wrong: Counter[str] = Counter()
    for row, source in zip(rows, texts, strict=True):
        wrong.update(name for name, one in best(source["text"]).items() if values[row["id"], name] != one)
    assert all(wrong[name] <= one["allowed"] for name, one in told["certificates"].items())
    assert slmbatch("verify", out).code == 0
    before, asked = certificate(out), len(top.asked)
    assert slmbatch(*run).code == 0
    assert (certificate(out), len(top.asked)) == (before, asked)
    for what, change_ in FIELD_CHANGED.items():
        shutil.copytree(out, tmp_path / what)
        assert found_in(tmp_path / what, change_, rehashed=True), what


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--per", "field"], "classify tells no fields"),
        (["--per", "row"], "neither class nor field"),
        (["--per", "class", "--reuse", "run"], "can't be reused"),
    ],
)
def test_a_promise_that_does_not_fit_is_refused(tmp_path: Path, more: list[str], said: str) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(3))
    run = ["classify", table, "--labels", "a,b", "-o", tmp_path / "out", "--escalate", "openai:m@http://127.0.0.1:9"]
    ran = slmbatch(*run, "--target", "0.9", *more)
    assert (ran.code, said in ran.err) == (2, True), ran.err
