"""The key: read from the environment, sent to its server, and found nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import LABELS, Asked, Ran, Reply, Scripted, completion, results, slmbatch, write_table

KEY = "sk-proj-3f9a1c-this-must-not-show"


def assert_unseen(ran: Ran, *folders: Path) -> None:
    assert KEY not in ran.out + ran.err
    seen = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    assert seen == []


def telling(asked: Asked) -> Reply:
    """A server that repeats the key wherever it can go wrong."""
    if "fine" in asked.text:
        return completion('{"label":"card"}')
    status = {"400": 400, "403": 403, "429": 429, "500": 500}.get(asked.text[-3:], 200)
    return Reply(status, f'{{"error":{{"message":"Incorrect API key provided: {KEY}."}}}}', {"Retry-After": "0"})


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MY_KEY"])
def test_the_key_is_in_no_file_log_or_message(tmp_path: Path, scripted: Callable[..., Scripted], name: str) -> None:
    server, out = scripted(by=telling), tmp_path / "out"
    table = write_table(tmp_path / "t.parquet", ["fine 0", *(f"row {status}" for status in (400, 403, 429, 500, 200))])
    config = tmp_path / "c.toml"
    config.write_text(f'[tier."{server.model}"]\nattempts = 2\nconcurrency = 1\nkey_env = "{name}"\n')
    arguments = ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", server.model, "--debug"]
    ran = slmbatch(*arguments, "--config", config, env={name: KEY})
    assert ran.code == 0, ran.err
    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert [row["reason"].partition(":")[0] for row in results(out)[1:]] == [
        *["rejected", "forbidden", "unavailable", "unavailable", "malformed_reply"]
    ]
    assert_unseen(ran, out)


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_a_wrong_key_ends_the_run_with_one_clear_line(
    tmp_path: Path, scripted: Callable[..., Scripted], debug: list[str]
) -> None:
    server, out = scripted(Reply(401, f'{{"error":{{"message":"Incorrect API key: {KEY}"}}}}')), tmp_path / "out"
    table = write_table(tmp_path / "t.parquet", [f"row {row}" for row in range(500)])
    arguments = ["classify", table, "--labels", ",".join(LABELS), "-o", out, "--model", server.model, *debug]
    ran = slmbatch(*arguments, env={"OPENAI_API_KEY": KEY}, within_s=30)
    assert (ran.code, ran.out) == (1, "")
    assert_unseen(ran, out)
    assert len(server.asked) <= 100  # what was under way, and a little more
    assert not (out / "results.parquet").exists()
    if debug:
        assert "Traceback" in ran.err
    else:
        what, remedy = ran.err.splitlines()
        assert what == (
            f"slmbatch: {server.model} can't be used: the server refused access with status 401: Incorrect API key: ***"
        )
        assert "key" in remedy


def test_doctor_says_whether_there_is_a_key_and_not_which(tmp_path: Path) -> None:
    for json_ in ([], ["--json"]):
        ran = slmbatch("doctor", "--model", "openai:gpt-5-mini", *json_, env={"OPENAI_API_KEY": KEY})
        assert ran.code == 0
        assert "set" in ran.out
        assert_unseen(ran)
