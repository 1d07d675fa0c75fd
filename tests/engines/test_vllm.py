"""vLLM as it is started, asked and ended, with a stand-in for its program; tests/vllm asks the real one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.chat import Choice, JsonShape, Message, Request
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.engines.vllm import JoinedVllm, VllmEngine, beginning
from slmbatch.engines.vllm_server import members
from slmbatch.errors import ConfigError, EngineError
from slmbatch.run.config import load_config
from slmbatch.run.plan import plan_tiers
from slmbatch.tasks.grammar import grammar
from tests.harness import TESTS, alive, descendants, wait_until

SPEC = parse_spec("vllm:some/model")
YES = Request((Message("user", "Yes?"),), Choice(("yes", "no")), 4, 5)


def standing_in(folder: Path, way: str) -> EngineSettings:
    command = (sys.executable, str(TESTS / "standing_in_vllm.py"), str(folder / "notes.json"), way)
    return EngineSettings(vllm_command=command, attempts=2)


def with_engine(folder: Path, settings: EngineSettings, work: Callable[[VllmEngine], Awaitable[None]]) -> None:
    async def run() -> None:
        engine = VllmEngine(SPEC, settings, log=folder / "log", download=False)
        try:
            await engine.start()
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(run())


def noted(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "notes.json").read_text())
    return told


def test_the_server_is_started_with_what_the_settings_say_and_the_users_words_last(tmp_path: Path) -> None:
    more = {"slots": 7, "context_tokens": 300, "data_parallel": 2, "gpus": (1, 3), "vllm_args": ("--max-num-seqs=9",)}

    async def work(engine: VllmEngine) -> None:
        assert (await engine.complete(YES)).text == "yes"
        assert engine.capabilities.context_tokens == 512  # as the server says
        assert engine.concurrency == 14

    with_engine(tmp_path, replace(standing_in(tmp_path, "serve"), **more), work)
    told = noted(tmp_path)
    arguments = told["arguments"]
    assert arguments[:2] == ["serve", "some/model"]
    assert {"--enable-prefix-caching", "--max-model-len=300", "--data-parallel-size=2"} < set(arguments)
    assert arguments.index("--max-num-seqs=7") < arguments.index("--max-num-seqs=9")
    assert told["environment"]["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert told["environment"]["HF_HUB_OFFLINE"] == "1"  # download=False
    assert told["environment"]["VLLM_API_KEY"] not in " ".join(arguments)
    body = json.loads((tmp_path / "notes.body").read_text())
    assert body["model"] == "made"
    assert body["structured_outputs"] == {"choice": ["yes", "no"]}


def test_fields_are_held_to_the_same_grammar_as_llama_cpps(tmp_path: Path) -> None:
    schema = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'

    shape = JsonShape("x", schema)

    async def work(engine: VllmEngine) -> None:
        await engine.complete(replace(YES, shape=shape))

    with_engine(tmp_path, standing_in(tmp_path, "serve"), work)
    held = json.loads((tmp_path / "notes.body").read_text())["structured_outputs"]
    assert held == {"grammar": grammar(shape)}


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("no-memory", "it ran out of memory, exit code 1"),
        ("crash", "exit code 1"),
    ],
)
def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(tmp_path: Path, way: str, said: str) -> None:
    async def nothing(engine: VllmEngine) -> None:
        raise AssertionError("it started")

    with pytest.raises(EngineError, match="ended while it was starting") as caught:
        with_engine(tmp_path, standing_in(tmp_path, way), nothing)
    assert f"({said})" in caught.value.message
    assert "ValueError" in caught.value.message
    assert str(tmp_path / "log") in caught.value.remedy


def test_a_server_that_hangs_is_ended_with_all_its_processes_and_the_row_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(engine: VllmEngine) -> None:
        assert (await engine.complete(YES)).text == "yes"

    with caplog.at_level(logging.WARNING, logger="slmbatch"):
        with_engine(tmp_path, replace(standing_in(tmp_path, "hang"), timeout_s=0.3, attempts=1), work)
    (again,) = [record for record in caplog.records if "started again" in record.getMessage()]
    assert again.__dict__["facts"]["why"].startswith("it hung")


PARENT = """
import asyncio, pathlib, sys
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.engines.vllm import VllmEngine

async def main():
    settings = EngineSettings(vllm_command=tuple(sys.argv[2:]))
    await VllmEngine(parse_spec("vllm:m"), settings, log=pathlib.Path(sys.argv[1]), download=False).start()
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_nothing_outlives_a_parent_that_is_killed_not_even_what_ignores_the_request_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log"), *standing_in(tmp_path, "stubborn").vllm_command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS.parent) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (between,) = descendants(parent.pid, "vllm_server")
        (server,) = descendants(between, "standing_in")
        (worker,) = descendants(server, "a worker")
        assert set(members(between)) == {between, server, worker}
        parent.kill()
    wait_until(lambda: not any(map(alive, (between, server, worker))), "all processes to end", within_s=20)


def test_nothing_outlives_the_process_between_when_that_is_killed(tmp_path: Path) -> None:
    async def work(engine: VllmEngine) -> None:
        (between,) = descendants(os.getpid(), "vllm_server")
        (server,) = descendants(between, "standing_in")
        os.kill(between, signal.SIGKILL)
        while not engine._server.restarts:  # until its death is seen, the old one may still answer
            assert (await engine.complete(YES)).text == "yes"
            await asyncio.sleep(0.05)
        assert not alive(server)

    with_engine(tmp_path, standing_in(tmp_path, "serve"), work)


def test_a_running_server_is_joined_by_its_models_name_or_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(engine: VllmEngine) -> None:
        assert engine._served is not None
        monkeypatch.setenv("VLLM_API_KEY", noted(tmp_path)["environment"]["VLLM_API_KEY"])
        for name in ("made", "/models/made"):
            joined = JoinedVllm(parse_spec(f"vllm:{name}@{engine._served.url}/v1"), EngineSettings())
            await joined.start()
            assert joined.capabilities.context_tokens == 512
            assert (await joined.complete(YES)).text == "yes"
            assert await joined.count("three words here") == 3
            await joined.close()
        stranger = JoinedVllm(parse_spec(f"vllm:other@{engine._served.url}"), EngineSettings())
        with pytest.raises(EngineError, match="doesn't serve other") as caught:
            await stranger.start()
        assert "made" in caught.value.remedy
        await stranger.close()

    with_engine(tmp_path, standing_in(tmp_path, "serve"), work)


def test_a_server_that_is_not_there_is_an_engine_error() -> None:
    engine = JoinedVllm(parse_spec("vllm:m@http://127.0.0.1:9"), EngineSettings())
    with pytest.raises(EngineError, match="doesn't say what it serves"):
        asyncio.run(engine.start())


def test_a_program_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no program 'no-such-vllm'"):
        VllmEngine(SPEC, EngineSettings(vllm_command=("no-such-vllm",)), log=tmp_path / "log", download=True)


def test_arguments_of_the_command_line_come_after_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[tier."vllm:m"]\nvllm_args = ["--a"]\n')
    (tier,) = plan_tiers("vllm:m", (), load_config(path), default="head", vllm_args=("--b",))
    assert tier.settings.vllm_args == ("--a", "--b")
    assert tier.price.known
    with pytest.raises(ConfigError, match="starts no vLLM server"):
        plan_tiers("vllm:m@http://127.0.0.1:1", (), load_config(None), default="head", vllm_args=("--b",))


@given(st.lists(st.sampled_from(["a", "bb ", " ", "ccc", "\n"]), max_size=60).map("".join), st.integers(1, 20))
def test_a_beginning_has_at_most_so_many_tokens_and_is_the_whole_text_if_that_fits(text: str, tokens: int) -> None:
    async def count(part: str) -> int:
        return len(part.split())

    cut = asyncio.run(beginning(text, tokens, count))
    assert text.startswith(cut)
    assert len(cut.split()) <= tokens
    if len(text.split()) <= tokens:
        assert cut == text
    else:
        assert len(cut.split()) >= tokens - 1
