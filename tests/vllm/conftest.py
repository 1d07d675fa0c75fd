"""The real vLLM: its program, its model folder, and one server that the tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = os.environ.get("VLLM_PROGRAM", "")
KEY = "key-of-the-tests"
# On the CPU: exact weights, no compiling, 1 GB for the prefix cache.
ARGUMENTS = ("--dtype=float32", "--enforce-eager", "--max-num-seqs=4", "--max-model-len=4096")
ENVIRONMENT = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Joined:
    """A vLLM server that is running."""

    url: str
    folder: Path
    pid: int

    @property
    def model(self) -> str:
        return f"vllm:{self.folder}@{self.url}"


@pytest.fixture(scope="session")
def program() -> Path:
    """The program `vllm`. Without it the tests fail: they are only selected where it was promised."""
    assert PROGRAM, "VLLM_PROGRAM isn't set: run `make test-vllm`"
    assert Path(PROGRAM).exists()
    return Path(PROGRAM)


@pytest.fixture(scope="session")
def folder(program: Path, embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model, dequantised for vLLM."""
    made = tmp_path_factory.mktemp("models") / "smollm2-135m"
    command = [program.with_name("python"), Path(__file__).with_name("hf_folder.py"), embedded_model, made]
    finished = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    return made


@pytest.fixture(scope="session")
def vllm(program: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """A running server with a key, for tests that join it."""
    command = [str(program), "serve", str(folder), "--max-logprobs=200", *ARGUMENTS]
    configuration = {"command": command, "environment": ENVIRONMENT | {"VLLM_API_KEY": KEY}}
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "slmbatch.engines.vllm_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(configuration) + "\n")
        server.stdin.flush()
        line = server.stdout.readline()
        assert line, log.read_text()[-2000:]
        yield Joined(json.loads(line)["url"], folder, server.pid)
        server.stdin.close()
        server.wait()
