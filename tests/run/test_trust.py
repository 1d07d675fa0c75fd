"""What a run must not do: hide an outage, ask twice, take answers of another question, or throw paid ones away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slmbatch.errors import ConfigError, EngineError, InputError, TaskError
from slmbatch.readers import ReadOptions
from slmbatch.store import parts
from tests.harness import Loopback, Reply, Scripted, completion, results, row_text, write_rows, write_table

from .made import classify, extract

DOWN = Reply(503, '{"error":{"message":"down"}}')


def test_an_outage_of_a_higher_tier_is_told_and_can_be_asked_again(
    tmp_path: Path, loopback: Callable[..., Loopback], scripted: Callable[..., Scripted]
) -> None:
    table, out, first = write_rows(tmp_path / "t.parquet", range(3)), tmp_path / "out", loopback()
    state = {"up": False}
    second = scripted(by=lambda asked: completion('{"label":"card"}') if state["up"] else DOWN)
    config = tmp_path / "c.toml"
    config.write_text(f'[tier."{second.model}"]\nattempts = 1\n')
    tiers = {"escalate": (second.model,), "threshold": 0.999, "config": config}
    classify(table, out, first.model, **tiers)  # type: ignore[arg-type]
    for row in results(out):
        assert row["status"] == "review"
        assert "; then unavailable: " in row["reason"]
    state["up"] = True
    assert classify(table, out, first.model, **tiers).resumed == 3  # type: ignore[arg-type]
    classify(table, out, first.model, retry_failed=True, **tiers)  # type: ignore[arg-type]
    assert [(row["status"], row["label"]) for row in results(out)] == [("accepted", "card")] * 3


def test_a_server_without_the_model_ends_the_run(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server = scripted(Reply(404, '{"error":{"message":"no such model"}}'))
    with pytest.raises(EngineError, match="no such model"):
        classify(write_rows(tmp_path / "t.parquet", range(5)), tmp_path / "out", server.model)


def test_a_server_that_is_down_for_good_ends_the_run(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server, config = scripted(DOWN), tmp_path / "c.toml"
    config.write_text(f'[tier."{server.model}"]\nattempts = 1\n')
    with pytest.raises(EngineError, match="can't be used"):
        classify(write_rows(tmp_path / "t.parquet", range(200)), tmp_path / "out", server.model, config=config)
    assert len(server.asked) < 200


def test_the_same_content_is_asked_once_also_across_parts(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server = loopback()
    rows = [*range(parts.PART_ROWS + 20), *range(40)]
    classify(write_table(tmp_path / "t.parquet", [row_text(row) for row in rows]), tmp_path / "out", server.model)
    assert set(server.asked().values()) == {1}
    assert sum(row["requests"] for row in results(tmp_path / "out")) == parts.PART_ROWS + 20


def test_overwrite_throws_nothing_away_for_a_command_that_cannot_work(
    tmp_path: Path, loopback: Callable[..., Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server, out = loopback(), tmp_path / "out"
    table = write_rows(tmp_path / "t.parquet", range(5))
    classify(table, out, server.model)
    before = results(out)
    with pytest.raises(InputError):
        classify(table, out, server.model, overwrite=True, reading=ReadOptions(text_column="txet"))
    with pytest.raises(ConfigError):
        classify(table, out, "openai:without-a-key", overwrite=True)
    assert results(out) == before
    assert classify(table, out, server.model).resumed == 5


def test_outputs_inside_the_input_folder_are_no_input(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    server, source = loopback(), tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text(row_text(1))
    for _ in range(2):
        assert classify(source, source / "out", server.model).read == 1


def test_what_of_a_document_could_not_be_read_is_a_warning(tmp_path: Path, loopback: Callable[..., Loopback]) -> None:
    mail = "From: a@example.com\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n"
    mail += row_text(1) + "\n--x\nContent-Type: image/png\n"
    mail += "Content-Disposition: attachment; filename=scan.png\n\n????\n--x--\n"
    (tmp_path / "m.eml").write_text(mail)
    classify(tmp_path / "m.eml", tmp_path / "out", loopback().model)
    (row,) = results(tmp_path / "out")
    assert row["status"] == "accepted"
    assert "scan.png" in " ".join(row["warnings"])


def test_a_price_too_fine_for_the_tables_is_refused_before_anything_is_paid(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    server, config = loopback(), tmp_path / "c.toml"
    config.write_text(f'[tier."{server.model}"]\nprice = {{input = "0.00000015", output = 1}}\n')
    with pytest.raises(ConfigError, match=r"price\.input"):
        classify(write_rows(tmp_path / "t.parquet", range(5)), tmp_path / "out", server.model, config=config)
    assert not server.asked()


def test_a_wrong_rule_or_pattern_is_said_before_anything_is_asked(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, server = write_rows(tmp_path / "t.parquet", range(2)), loopback()
    amount = {"type": "object", "properties": {"a": {"type": "number"}}}
    rule = {"x-slmbatch": {"rules": [{"id": "r", "expr": "a == b"}]}}
    with pytest.raises(TaskError, match="no field 'b'"):
        extract(table, tmp_path / "out", server.model, amount | rule)
    with pytest.raises(TaskError, match="no regular expression"):
        extract(
            table,
            tmp_path / "out",
            server.model,
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "["}}},
        )
    assert not server.asked()
