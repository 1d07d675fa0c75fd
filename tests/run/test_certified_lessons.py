"""Certified runs that learn from earlier ones: how to rank their rows, and which tier to leave out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.run.certified.labels import read_labels
from tests.harness import kill, results, slmbatch, start, wait_until, write_table

from .test_certified import TOPICS, certificate, tickets

NIGHT = 400  # rows
TARGET = "0.9"


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good head, one that has seen few texts, and one that takes nearly every crash for a login, and is sure."""
    folder = tmp_path_factory.mktemp("heads")
    made = {}
    for name, count in (("large", 500), ("small", 60), ("blind", 300)):
        texts, topics = tickets(count, seed=1)
        if name == "blind":
            crashes = [place for place, topic in enumerate(topics) if topic == "crash"]
            topics = ["login" if place in crashes[4:] else topic for place, topic in enumerate(topics)]
        pq.write_table(pa.table({"text": texts, "label": topics}), folder / f"{name}.parquet")
        ran = slmbatch("train", folder / f"{name}.parquet", "-o", folder / name, "--quiet")
        assert ran.code == 0, ran.err
        made[name] = folder / name
    return made


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("nights")
    first = write_table(folder / "first.parquet", tickets(NIGHT, seed=2)[0])
    return first, write_table(folder / "second.parquet", tickets(NIGHT, seed=3)[0])


def command(table: Path, out: Path, *tiers: Path | str) -> list[object]:
    """Certify what all tiers but the last say, by the last one's answers."""
    first, *others = (f"head:{one}" if isinstance(one, Path) else one for one in tiers)
    named = ["--model", first, *(word for one in others for word in ("--escalate", one))]
    return ["classify", table, "--labels", ",".join(TOPICS), "-o", out, *named, "--target", TARGET, "--yes"]


@pytest.fixture(scope="module")
def taught(heads: dict[str, Path], nights: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night of a head that is often wrong where it is sure: refused, so the last tier has answered all of it."""
    out = tmp_path_factory.mktemp("taught") / "first"
    ran = slmbatch(*command(nights[0], out, heads["blind"], heads["large"]))
    assert (ran.code, "the score hardly tells right rows from wrong ones" in ran.err) == (0, True), ran.err
    return out


@pytest.fixture(scope="module")
def ranked(
    taught: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The next night, ranked by what the first one taught."""
    out = tmp_path_factory.mktemp("ranked") / "second"
    ran = slmbatch(*command(nights[1], out, heads["blind"], heads["large"]), "--earlier", taught)
    assert ran.code == 0, ran.err
    assert f"Rows are ranked by what {NIGHT} earlier rows taught (AUROC " in ran.err
    return out


@pytest.fixture(scope="module")
def spoiled(heads: dict[str, Path], nights: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night on which a middle tier replaced all answers of the first one by worse ones."""
    out = tmp_path_factory.mktemp("spoiled") / "first"
    ran = slmbatch(*three(nights[0], out, heads))
    assert ran.code == 0, ran.err
    return out


def three(table: Path, out: Path, heads: dict[str, Path]) -> list[object]:
    return [*command(table, out, heads["small"], heads["blind"], heads["large"]), "--threshold", "1"]


def certify(out: Path) -> Path:
    return out / ".slmbatch" / "certify"


def ranking(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((certify(out) / "ranking.json").read_text())
    return told


def said(out: Path) -> list[str]:
    told: list[str] = json.loads((out / "report.json").read_text())["certificate"]["earlier"]
    return told


def test_a_ranking_that_earlier_rows_teach_earns_a_certificate(
    ranked: Path, taught: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path: Path
) -> None:
    plain = slmbatch(*command(nights[1], tmp_path / "plain", heads["blind"], heads["large"]))
    assert "No certificate" in plain.err
    told, fitted = certificate(ranked), ranking(ranked)
    assert told["kept"] > NIGHT / 4
    assert fitted["auroc_learned"] > fitted["auroc"] + 0.1
    assert (fitted["labelled"], fitted["drawn"]) == (NIGHT, NIGHT)
    assert fitted["runs"] == [json.loads((taught / ".slmbatch" / "manifest.json").read_text())["run"]]
    assert max(fitted["learned"]["rates"], key=fitted["learned"]["rates"].get) == "login"
    top = [row["label"] for row in results(tmp_path / "plain")]  # all are the large head's
    differing = sum(row["label"] != label for row, label in zip(results(ranked), top, strict=True))
    assert 0 < differing <= told["allowed"]
    assert said(ranked)[0] in slmbatch("report", ranked).out
    ran = slmbatch("verify", ranked)
    assert ran.code == 0, ran.out


def test_verify_finds_a_changed_ranking(ranked: Path, tmp_path: Path) -> None:
    shutil.copytree(ranked, tmp_path / "out")
    told = ranking(ranked)
    told["learned"]["weights"][0] += 0.01
    (certify(tmp_path / "out") / "ranking.json").write_text(json.dumps(told))
    ran = slmbatch("verify", tmp_path / "out")
    assert ran.code == 3
    assert ".slmbatch/certify/ranking.json: stated" in ran.out
    assert "frozen.parquet: score: stated as stated, found otherwise by the cheap tiers' answers" in ran.out


@pytest.mark.parametrize("lost", [["frozen.parquet", "plan.json", "labels.parquet"], ["plan.json", "labels.parquet"]])
def test_a_ranked_run_that_was_stopped_before_its_plan_ends_the_same(
    ranked: Path, taught: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path: Path, lost: list[str]
) -> None:
    shutil.copytree(ranked, tmp_path / "out")
    for name in lost:
        (certify(tmp_path / "out") / name).unlink()
    shutil.rmtree(certify(tmp_path / "out") / "top")
    (tmp_path / "out" / "certificate.json").unlink()
    ran = slmbatch(*command(nights[1], tmp_path / "out", heads["blind"], heads["large"]), "--earlier", taught)
    assert ran.code == 0, ran.err
    before, now = certificate(ranked), certificate(tmp_path / "out")
    assert {**now, "files": 0} == {**before, "files": 0}
    assert ranking(tmp_path / "out") == ranking(ranked)


def test_a_planned_run_needs_the_earlier_one_no_more(
    ranked: Path, heads: dict[str, Path], nights: tuple[Path, Path], taught: Path, tmp_path: Path
) -> None:
    shutil.copytree(ranked, tmp_path / "out")
    taught.rename(taught.with_name("away"))
    try:
        ran = slmbatch(*command(nights[1], tmp_path / "out", heads["blind"], heads["large"]), "--earlier", taught)
    finally:
        taught.with_name("away").rename(taught)
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "out")["digest"] == certificate(ranked)["digest"]


def test_a_refused_run_needs_the_earlier_one_no_more(taught: Path, heads: dict[str, Path], tmp_path: Path) -> None:
    few = write_table(tmp_path / "few.parquet", tickets(20, seed=4)[0])
    shutil.copytree(taught, tmp_path / "earlier")
    run = [*command(few, tmp_path / "out", heads["blind"], heads["large"]), "--earlier", tmp_path / "earlier"]
    refused = slmbatch(*run)
    assert (refused.code, "No certificate" in refused.err) == (0, True), refused.err
    before = results(tmp_path / "out")
    shutil.rmtree(tmp_path / "earlier")
    ran = slmbatch(*run)
    assert (ran.code, "No certificate" in ran.err) == (0, True), ran.err
    assert results(tmp_path / "out") == before


def test_rows_that_are_certified_again_are_drawn_anew(
    ranked: Path, taught: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path: Path
) -> None:
    """The ranking has seen those that an earlier run drew of the same rows: they would flatter it."""
    run = command(nights[1], tmp_path / "out", heads["blind"], heads["large"])
    ran = slmbatch(*run, "--earlier", taught, "--earlier", ranked)
    assert ran.code == 0, ran.err
    one, other = (set(read_labels(certify(out) / "labels.parquet")) for out in (ranked, tmp_path / "out"))
    assert one - other
    assert other - one
    assert slmbatch("verify", tmp_path / "out").code == 0


def test_a_run_that_is_named_twice_counts_once(
    ranked: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path: Path
) -> None:
    run = command(nights[0], tmp_path / "out", heads["blind"], heads["large"])
    labelled = len(read_labels(certify(ranked) / "labels.parquet"))
    ran = slmbatch(*run, *(["--earlier", ranked] * (200 // labelled + 1)))
    assert (ran.code, f"{labelled} labelled rows, and 200 are needed" in ran.err) == (2, True), ran.err


def test_reused_labels_bring_the_ranking_of_their_run(ranked: Path, heads: dict[str, Path], tmp_path: Path) -> None:
    third = write_table(tmp_path / "third.parquet", tickets(NIGHT, seed=4)[0])
    ran = slmbatch(*command(third, tmp_path / "out", heads["blind"], heads["large"]), "--reuse", ranked)
    assert ran.code == 0, ran.err
    assert ranking(tmp_path / "out") == ranking(ranked)
    told = certificate(tmp_path / "out")
    assert (told["sample"], told["drift"]["p_value"] > 0.01) == (certificate(ranked)["sample"], True)
    assert slmbatch("verify", tmp_path / "out").code == 0


@pytest.mark.timeout(400)
def test_a_tier_that_does_not_pay_is_named_and_left_out_when_that_is_asked_for(
    spoiled: Path, heads: dict[str, Path], nights: tuple[Path, Path], tmp_path: Path
) -> None:
    out, blind = tmp_path / "out", f"head:{heads['blind']}"
    run = [*three(nights[1], out, heads), "--earlier", spoiled]
    advised = slmbatch(*three(nights[1], tmp_path / "advised", heads), "--earlier", spoiled)
    assert advised.code == 0, advised.err
    assert f"{blind} doesn't pay: by {NIGHT} earlier rows a run takes" in advised.err
    assert "With --leave-out it isn't asked." in advised.err
    process = start(*run, "--leave-out", "--quiet")
    wait_until((certify(out) / "tiers.json").exists, "the choice of tiers")
    kill(process)
    assert not (certify(out) / "frozen.parquet").exists()
    ran = slmbatch(*run, "--leave-out")
    assert ran.code == 0, ran.err
    assert f"{blind} is left out: by {NIGHT} earlier rows" in ran.err
    costs = {one["tier"]: one for one in pq.read_table(out / "cost.parquet").to_pylist()}
    assert (costs[blind]["documents"], costs[blind]["basis"]) == (0, "not asked: left out by what earlier runs cost")
    told = certificate(out)
    assert told["cheap_tiers"] == [f"head:{heads['small']}"]
    assert told["kept"] > 0
    assert slmbatch("verify", out).code == 0
    ran = slmbatch(*run)
    assert (ran.code, "differing: leave_out" in ran.err) == (2, True), ran.err
    third = write_table(tmp_path / "third.parquet", tickets(NIGHT, seed=4)[0])
    reusing = [*three(third, tmp_path / "reused", heads), "--reuse", out]
    ran = slmbatch(*reusing)
    assert (ran.code, f"it left out {blind}" in ran.err) == (2, True), ran.err
    ran = slmbatch(*reusing, "--leave-out")
    assert ran.code == 0, ran.err
    assert f"{blind} is left out, as in the run whose labels are reused." in ran.err
    assert slmbatch("verify", tmp_path / "reused").code == 0
    run = [*three(third, tmp_path / "third", heads), "--earlier", out]
    ran = slmbatch(*run, "--earlier", spoiled, "--leave-out")
    assert ran.code == 0, ran.err
    assert certificate(tmp_path / "third")["cheap_tiers"] == told["cheap_tiers"]
    assert slmbatch("verify", tmp_path / "third").code == 0
    ran = slmbatch(*run, "--overwrite")  # it says nothing of what all tiers together would answer
    assert (ran.code, "0 labelled rows, and 200 are needed" in ran.err) == (2, True), ran.err
