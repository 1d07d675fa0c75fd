"""A run that starts vLLM itself: its engine is killed, slmbatch is killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from slmbatch.engines.vllm_server import members
from tests.harness import TESTS, alive, descendants, finish, kill, parts_of, results, start, wait_until
from tests.vllm.conftest import ARGUMENTS, ENVIRONMENT

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
SAMPLES = TESTS.parent / "sample_docs"
UNREADABLE = 1  # of the first 30 tickets: settled before the server is up
START_S = 240  # an idle machine with 2 cores takes 35


def command(program: Path, folder: Path, to: Path) -> list[object]:
    config = to / "c.toml"
    config.write_text(f'[tier."vllm:{folder}"]\nvllm_command = ["{program}"]\nconcurrency = 4\n')
    more = [f"--vllm-arg={argument}" for argument in ARGUMENTS]
    tickets = ["classify", SAMPLES / "tickets", "--labels", SAMPLES / "labels.yaml", "--text-column", "text"]
    return [*tickets, "--limit", 30, "-o", to / "out", "--model", f"vllm:{folder}", "--config", config, *more]


def server_of(slmbatch: int) -> int:
    """The process of `vllm serve` that a run has started."""
    (between,) = descendants(slmbatch, "vllm_server")
    (server,) = descendants(between, "serve")
    return server


def engine_of(server: int) -> int:
    """vLLM's process with the model, which names itself."""
    (engine,) = [
        pid for pid in members(os.getpgid(server)) if b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return engine


def test_all_rows_settle_although_the_engine_is_killed(program: Path, folder: Path, tmp_path: Path) -> None:
    process = start(*command(program, folder, tmp_path), env=ENVIRONMENT)
    out = tmp_path / "out"
    wait_until(lambda: len(parts_of(out)) > UNREADABLE, "the first reply", within_s=START_S)
    settled = len(parts_of(out))
    os.kill(engine_of(server_of(process.pid)), signal.SIGKILL)
    ran = finish(process, within_s=400)
    assert ran.code == 0, ran.err
    assert settled < 30
    rows = results(out)
    assert len(rows) == 30
    assert {row["status"] for row in rows} <= {"accepted", "review", "unreadable"}
    said = [json.loads(line) for line in (out / ".slmbatch" / "logs" / "slmbatch.jsonl").read_text().splitlines()]
    (death,) = [entry for entry in said if "started again" in entry["message"]]
    assert "engine process died" in death["why"]
    assert "a local server is starting: " in ran.err  # the log's progress


def test_nothing_of_vllm_is_left_when_slmbatch_is_killed(program: Path, folder: Path, tmp_path: Path) -> None:
    process = start(*command(program, folder, tmp_path), env=ENVIRONMENT)
    wait_until(lambda: len(parts_of(tmp_path / "out")) > UNREADABLE, "the first reply", within_s=START_S)
    server = server_of(process.pid)
    left = members(os.getpgid(server))
    assert len(left) > 3
    kill(process)
    wait_until(lambda: not any(map(alive, left)), "all its processes to end", within_s=30)
