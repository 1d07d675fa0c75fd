"""Runs that end in a certificate: real heads that disagree, servers that count what they are asked, kills, budgets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.harness import (
    LABELS,
    Asked,
    Loopback,
    Reply,
    Scripted,
    completion,
    kill,
    results,
    slmbatch,
    start,
    wait_until,
    write_rows,
    write_table,
)

TOPICS = {
    "billing": ["invoice", "charge", "refund", "payment", "bill", "fee", "amount", "receipt", "tax", "discount"],
    "login": ["password", "account", "email", "reset", "code", "lock", "user", "sign", "verify", "session"],
    "shipping": ["parcel", "courier", "delivery", "address", "tracking", "late", "box", "label", "driver", "depot"],
    "crash": ["error", "freeze", "restart", "bug", "screen", "blank", "version", "update", "install", "log"],
}
OWN = 0.7  # of a text's words that are of its topic
ROWS = 400
TARGET = 0.9
PRICE = "1/10"


def tickets(count: int, *, seed: int) -> tuple[list[str], list[str]]:
    """Texts of eight words, most of their own topic: some can be told by a good head only, some by none."""
    dice = Random(seed)
    everything = [word for words in TOPICS.values() for word in words]
    topics = [dice.choice(list(TOPICS)) for _ in range(count)]
    texts = [
        " ".join(dice.choice(TOPICS[topic] if dice.random() < OWN else everything) for _ in range(8)) + f" {number}"
        for number, topic in enumerate(topics)
    ]
    return texts, topics


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A head that has seen a few texts of each label, and one that has seen many."""
    folder = tmp_path_factory.mktemp("heads")
    for name, count in (("small", 24), ("large", 500)):
        texts, topics = tickets(count, seed=1)
        pq.write_table(pa.table({"text": texts, "label": topics}), folder / f"{name}.parquet")
        ran = slmbatch("train", folder / f"{name}.parquet", "-o", folder / name, "--quiet")
        assert ran.code == 0, ran.err
    return folder / "small", folder / "large"


@pytest.fixture(scope="module")
def certified(heads: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that small and large head have certified together."""
    folder = tmp_path_factory.mktemp("certified")
    table = write_table(folder / "tickets.parquet", tickets(ROWS, seed=2)[0])
    ran = slmbatch(*command(table, folder / "out", heads), "--target", TARGET)
    assert ran.code == 0, ran.err
    said = f"with 90% certainty at least 90% of {ROWS} rows are as head:{heads[1]} would say"
    assert f"Certificate: {said}." in ran.err
    assert f"Certified: {said} (" in ran.err
    return folder / "out"


def command(table: Path, out: Path, heads: tuple[Path, Path]) -> list[object]:
    small, large = heads
    tiers = ["--model", f"head:{small}", "--escalate", f"head:{large}"]
    return ["classify", table, "--labels", ",".join(TOPICS), "-o", out, *tiers]


def certificate(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "certificate.json").read_text())
    return told


def test_a_certified_run_keeps_what_its_sample_allows_and_keeps_its_promise(
    certified: Path, heads: tuple[Path, Path], tmp_path: Path
) -> None:
    told, rows = certificate(certified), results(certified)
    kept = [row for row in rows if row["tier"] == f"head:{heads[0]}"]
    assert 0 < told["kept"] == len(kept) < ROWS - told["sample"]
    assert {row["status"] for row in rows} == {"accepted"}
    assert told["risk"] <= 0.1
    table = certified.parent / "tickets.parquet"
    alone = ["classify", table, "--labels", ",".join(TOPICS), "-o", tmp_path / "out", "--model", f"head:{heads[1]}"]
    assert slmbatch(*alone, "--threshold", "0").code == 0
    top = [row["label"] for row in results(tmp_path / "out")]
    differing = sum(row["label"] != label for row, label in zip(rows, top, strict=True))
    assert 0 < differing <= told["allowed"]  # the small head is wrong at times, and not more often than was promised
    report = json.loads((certified / "report.json").read_text())["certificate"]
    assert (report["agreement"], report["kept"], report["rows"]) == (TARGET, told["kept"], ROWS)


def test_verify_finds_an_untouched_run_true(certified: Path) -> None:
    ran = slmbatch("verify", certified)
    assert ran.code == 0, ran.out
    assert f"with 90% certainty at least 90% of {ROWS} rows" in ran.out
    assert json.loads(slmbatch("verify", certified, "--json").out) == {"verified": True, "differences": []}


def test_the_same_command_again_says_the_same(certified: Path, heads: tuple[Path, Path]) -> None:
    before = certificate(certified)
    ran = slmbatch(*command(certified.parent / "tickets.parquet", certified, heads), "--target", TARGET)
    assert ran.code == 0, ran.err
    assert certificate(certified) == before


def edited(path: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    """Change columns of a Parquet file in place; schema and metadata stay."""
    table = pq.read_table(path)
    columns = table.to_pydict()
    change(columns)
    pq.write_table(pa.table(columns, table.schema), path, compression="zstd")


def stated(out: Path, **changes: Any) -> None:
    told = certificate(out) | changes
    (out / "certificate.json").write_text(json.dumps(told))


def relabel(columns: dict[str, list[Any]]) -> None:
    columns["label"][7] = "billing" if columns["label"][7] != "billing" else "login"


def swap_first(name: str) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        first = next(at for at, one in enumerate(columns[name]) if one != columns[name][0])
        columns[name][0], columns[name][first] = columns[name][first], columns[name][0]

    return change


def first_part(out: Path, stage: str) -> Path:
    return min((out / ".slmbatch" / "certify" / stage).glob("part-*.parquet"))


def agree_all(columns: dict[str, list[Any]]) -> None:
    columns["agrees"] = [True] * len(columns["agrees"])


def drop_last(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        values.pop()


def certify_file(out: Path, name: str) -> Path:
    return out / ".slmbatch" / "certify" / name


TAMPERED: dict[str, Callable[[Path], None]] = {
    "agreement": lambda out: stated(out, agreement=0.95),
    "delta": lambda out: stated(out, delta=0.01),
    "risk": lambda out: stated(out, risk=0.001),
    "rows": lambda out: stated(out, rows=ROWS + 100),
    "pool": lambda out: stated(out, pool=ROWS - 1),
    "allowed": lambda out: stated(out, allowed=60),
    "sample size": lambda out: stated(out, sample=certificate(out)["sample"] - 1),
    "tolerated errors": lambda out: stated(out, tolerated=certificate(out)["tolerated"] + 1),
    "seed": lambda out: stated(out, seed=1),
    "digest": lambda out: stated(out, digest="0" * 64),
    "rank": lambda out: stated(out, rank=certificate(out)["rank"] + 1),
    "kept rows": lambda out: stated(out, kept=certificate(out)["kept"] + 1),
    "error ranks": lambda out: stated(out, error_ranks=certificate(out)["error_ranks"][1:]),
    "who is agreed with": lambda out: stated(out, top_tier="openai:gpt-4.1"),
    "who is cheap": lambda out: stated(out, cheap_tiers=["openai:gpt-4.1"]),
    "the labels' date": lambda out: stated(out, asked_on="2031-01-01"),
    "second answers that never came": lambda out: stated(out, asked_twice={"drawn": 5, "texts": 5, "same": 5}),
    "second answers that are none": lambda out: stated(out, asked_twice=5),
    "a result's label": lambda out: edited(out / "results.parquet", relabel),
    "a result's score": lambda out: edited(out / "results.parquet", swap_first("score")),
    "a result's tier": lambda out: edited(out / "results.parquet", swap_first("tier")),
    "a result left out": lambda out: edited(out / "results.parquet", drop_last),
    "frozen scores": lambda out: edited(certify_file(out, "frozen.parquet"), swap_first("score")),
    "frozen answers": lambda out: edited(certify_file(out, "frozen.parquet"), swap_first("answer")),
    "labels that all agree": lambda out: edited(certify_file(out, "labels.parquet"), agree_all),
    "a label left out": lambda out: edited(certify_file(out, "labels.parquet"), drop_last),
    "a cheap answer": lambda out: edited(first_part(out, "answers"), relabel),
    "an answer of the top tier": lambda out: edited(first_part(out, "top"), relabel),
    "a file that is gone": lambda out: first_part(out, "top").unlink(),
    "the order of rows": lambda out: edited(out / ".slmbatch" / "rows.parquet", swap_first("key")),
}


@pytest.mark.parametrize("rehashed", [False, True], ids=["", "with the hashes made to fit"])
@pytest.mark.parametrize("what", TAMPERED)
def test_verify_finds_what_was_changed(certified: Path, tmp_path: Path, what: str, rehashed: bool) -> None:
    out = tmp_path / "out"
    shutil.copytree(certified, out)
    TAMPERED[what](out)
    if rehashed:
        from slmbatch.run.certified.proof import sha256_of_files
        from slmbatch.store.folder import RunFolder

        stated(out, files=sha256_of_files(RunFolder(out)))
    from slmbatch.run.certified.proof import verify
    from slmbatch.store.folder import RunFolder

    _, differing = verify(RunFolder(out))
    assert differing, what


def test_verify_says_what_differs_and_ends_with_three(certified: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(certified, out)
    stated(out, kept=ROWS)
    ran = slmbatch("verify", out)
    assert ran.code == 3
    assert f"kept: stated {ROWS}, found {certificate(certified)['kept']}" in ran.out


def paid(table: Path, out: Path, cheap: Loopback, top: Loopback | Scripted, *more: object) -> list[object]:
    tiers = ["--model", cheap.model, "--escalate", top.model, "--price", f"{top.model}={PRICE}"]
    return ["classify", table, "--labels", ",".join(LABELS), "-o", out, *tiers, "--target", TARGET, *more]


def test_labels_that_cost_money_are_not_bought_unasked(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top)
    ran = slmbatch(*run)
    assert (ran.code, "--yes" in ran.err) == (2, True), ran.err
    assert top.asked().total() == 0
    ran = slmbatch(*run, "--yes")
    assert ran.code == 0, ran.err
    assert cheap.asked().total() == 300  # the first session's answers are kept
    assert top.asked().total() == certificate(tmp_path / "out")["sample"]  # both servers agree on every row


def kill_at(run: Sequence[object], *moments: tuple[Loopback, Sequence[int]]) -> None:
    """Run and kill again and again: when a server has given so many answers."""
    for server, counts in moments:
        for count in counts:
            process = start(*run)
            wait_until(lambda server=server, count=count: server.answered().total() >= count, f"{count} answers")  # type: ignore[misc]
            kill(process)


@pytest.mark.timeout(240)
def test_kills_in_any_phase_change_nothing(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(300))
    cheap, top = loopback(latency_s=0.01), loopback(latency_s=0.05)
    run = paid(table, tmp_path / "killed", cheap, top, "--yes", "--quiet")
    kill_at(run, (cheap, (20, 150)), (top, (3, 20, 30)))
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    undisturbed = tmp_path / "undisturbed"
    assert slmbatch(*paid(table, undisturbed, cheap, top, "--yes", "--quiet")).code == 0
    names = ("digest", "sample", "tolerated", "rank", "kept", "error_ranks", "risk")
    assert [certificate(tmp_path / "killed")[name] for name in names] == [certificate(undisturbed)[n] for n in names]
    labels = [[row["label"] for row in results(out)] for out in (tmp_path / "killed", undisturbed)]
    assert labels[0] == labels[1]
    assert slmbatch("verify", tmp_path / "killed").code == 0


def test_a_budget_that_ends_among_the_labels_loses_none_of_them(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes")
    ran = slmbatch(*run, "--max-usd", "0.004")
    assert ran.code == 4, ran.err
    assert "No certificate: the budget of 0.004 USD is reached" in ran.err
    assert "(labels)" in ran.err
    bought = top.asked().total()
    assert bought > 0
    rows = results(tmp_path / "out")
    assert [row["row"] for row in rows] == list(range(300))
    assert sum(row["tier"] == top.model and row["status"] == "accepted" for row in rows) == top.answered().total()
    waiting = [row for row in rows if row["waits_for"] == top.model]
    assert {(row["status"], row["tier"]) for row in waiting} == {("review", cheap.model)}
    assert len(waiting) == 300 - top.answered().total()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["certificate"]["refused"] == "over_budget"
    assert report["over_budget"][0]["rows"] == len(waiting)
    assert not (tmp_path / "out" / "certificate.json").exists()
    ran = slmbatch("verify", tmp_path / "out")
    assert (ran.code, "No certificate: the budget of 0.004 USD" in ran.err) == (2, True), ran.err
    ran = slmbatch(*run, "--max-usd", "1")
    assert ran.code == 0, ran.err
    assert slmbatch("verify", tmp_path / "out").code == 0
    assert {row["waits_for"] for row in results(tmp_path / "out")} == {None}
    assert top.asked().total() == certificate(tmp_path / "out")["sample"]  # none was asked twice


def test_a_budget_that_ends_after_the_labels_delivers_what_is_kept(
    tmp_path: Path, heads: tuple[Path, Path], scripted: Callable[..., Scripted]
) -> None:
    texts, topics = tickets(ROWS, seed=2)
    right = dict(zip(texts, topics, strict=True))

    def knows(asked: Asked) -> Reply:
        return completion(json.dumps({"label": next(topic for text, topic in right.items() if text in asked.text)}))

    table, top = write_table(tmp_path / "tickets.parquet", texts), scripted(by=knows)
    tiers = ["--model", f"head:{heads[0]}", "--escalate", top.model, "--price", f"{top.model}={PRICE}"]
    run = ["classify", table, "--labels", ",".join(TOPICS), "-o", tmp_path / "out", *tiers, "--target", TARGET, "--yes"]
    ran = slmbatch(*run, "--max-usd", "0.0045")
    assert (ran.code, "(the rest)" in ran.err) == (4, True), ran.err
    rows, asked = results(tmp_path / "out"), len(top.asked)
    cheap = f"head:{heads[0]}"
    kept = {row["id"] for row in rows if row["status"] == "accepted" and row["tier"] == cheap}
    assert kept
    assert {row["waits_for"] for row in rows if row["id"] not in kept and row["tier"] == cheap} == {top.model}
    assert sum(row["tier"] == top.model for row in rows) == asked
    assert not (tmp_path / "out" / "certificate.json").exists()
    assert slmbatch(*run, "--max-usd", "1").code == 0
    assert kept == {row["id"] for row in results(tmp_path / "out") if row["tier"] == cheap}
    assert len(top.asked) == ROWS - len(kept) == ROWS - certificate(tmp_path / "out")["kept"]
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_changed_input_is_another_batch(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    run = paid(table, tmp_path / "out", cheap, top, "--yes")
    assert slmbatch(*run).code == 0
    write_rows(table, range(301))
    ran = slmbatch(*run)
    assert (ran.code, "the input has changed" in ran.err) == (2, True), ran.err


def test_too_few_rows_go_up_with_the_reason_and_stop_under_strict(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(10)), loopback(), loopback()
    ran = slmbatch(*paid(table, tmp_path / "out", cheap, top, "--yes", "--strict"))
    assert ran.code == 3, ran.err
    why = "No certificate: agreement of 0.9 with delta 0.1 needs at least"
    assert why in ran.err
    assert why in slmbatch("verify", tmp_path / "out").err
    assert top.asked().total() == 0
    ran = slmbatch(*paid(table, tmp_path / "out", cheap, top, "--yes"))
    assert ran.code == 0, ran.err
    assert top.asked().total() == 10
    assert {row["tier"] for row in results(tmp_path / "out")} == {top.model}
    assert not (tmp_path / "out" / "certificate.json").exists()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["certificate"]["refused"] == "too_few_rows"
    ran = slmbatch("verify", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert why in slmbatch("report", tmp_path / "out").out
    assert why in (tmp_path / "out" / "report.html").read_text()


def test_no_label_is_bought_for_a_target_that_its_own_gate_refuses(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback()
    ran = slmbatch(*paid(table, tmp_path / "out", cheap, top, "--yes", "--strict", "--target", "0.8"))
    assert ran.code == 3, ran.err
    assert "No certificate: a target of 0.8 lets up to" in ran.err
    assert "ask for a higher target" in ran.err
    assert top.asked().total() == 0


def test_a_label_that_never_came_counts_as_an_error(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    table, cheap, top = write_rows(tmp_path / "rows.parquet", range(300)), loopback(), loopback(faults="malformed=0.03")
    ran = slmbatch(*paid(table, tmp_path / "out", cheap, top, "--yes"))
    assert ran.code == 0, ran.err
    told = certificate(tmp_path / "out")
    assert told["missing_labels"] == len(told["error_ranks"]) > 0
    unanswered = [row for row in results(tmp_path / "out") if row["status"] == "review"]
    assert len(unanswered) >= told["missing_labels"]
    assert all("malformed" in row["reason"] for row in unanswered)
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_one_tier_has_nobody_to_agree_with(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(3))
    ran = slmbatch("classify", table, "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--target", "0.9")
    assert (ran.code, "only one tier" in ran.err) == (2, True)


@pytest.mark.parametrize("wrong", [("--target", "95"), ("--target", "0.3"), ("--delta", "0"), ("--target", "high")])
def test_a_share_that_is_none_is_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    table = write_rows(tmp_path / "rows.parquet", range(3))
    target = [] if wrong[0] == "--target" else ["--target", "0.9"]
    ran = slmbatch("classify", table, "--labels", "a,b", "-o", tmp_path / "out", *target, *wrong)
    assert (ran.code, wrong[0] in ran.err) == (2, True), ran.err


def answered_from_the_text(asked: Asked) -> Reply:
    """The fields as the text states them: what a large model reads without fail."""
    text = asked.text
    number, total = text.partition("Invoice no: ")[2].split()[0], text.partition("Total: ")[2].split()[0]
    return completion(json.dumps({"number": number, "total": total}))


def test_fields_are_certified_as_whole_documents(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "number": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice no"]}},
            "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}},
        },
    }
    (tmp_path / "s.schema.json").write_text(json.dumps(schema))
    texts = [f"ACME Ltd\nInvoice no: A-{1000 + n}\nTotal: {n + 10}.50 EUR\n" for n in range(200)]
    table, top = write_table(tmp_path / "docs.parquet", texts), scripted(by=answered_from_the_text)
    out = tmp_path / "out"
    run = ["extract", table, "--schema", tmp_path / "s.schema.json", "-o", out, "--escalate", top.model]
    ran = slmbatch(*run, "--target", "0.9")
    assert ran.code == 0, ran.err
    told = certificate(out)
    assert told["kept"] > 0
    assert told["kept"] + len(top.asked) == 200
    assert slmbatch("verify", out).code == 0
    edited(out / "fields.parquet", swap_first("value"))
    assert slmbatch("verify", out).code == 3
