"""`slmbatch` with vLLM next to vLLM's own offline `LLM.chat`, on the same requests: rows per second.

    python benchmarks/serving.py --python .venv-vllm/bin/python --model FOLDER [--tickets 60] [--invoices 4] [--pairs 1]
        [--vllm-arg=--dtype=float32 ...]

Each run loads the model anew, so that the prefix cache starts out empty. The time runs from the first request to the
last reply: `busy_s` of cost.parquet for slmbatch, around `LLM.chat` for the other side. `--vllm-arg` goes to both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from embedded import Question, invoices, replied, tickets
from measuring import environment, machine, middle

from slmbatch.chat import Capabilities
from slmbatch.engines.dialects import VLLM, Encoder
from slmbatch.engines.vllm import TOP_LOGPROBS

LIMIT_S = 3600.0
ABLE = Capabilities(choice=True, top_logprobs=TOP_LOGPROBS, raw_logprobs=False, context_tokens=None)


@dataclass(frozen=True, slots=True)
class Setting:
    """The Python that has vLLM, the model, the arguments of both sides, and a folder to work in."""

    python: Path
    model: str
    arguments: tuple[str, ...]
    folder: Path


def run_slmbatch(question: Question, setting: Setting) -> tuple[float, int, int]:
    """Return seconds, tokens read and written of one run of the command line."""
    source, out, config = (setting.folder / name for name in ("texts.parquet", "out", "c.toml"))
    pq.write_table(pa.table({"text": question.texts}), source)
    program = setting.python.with_name("vllm")
    config.write_text(f'[tier."vllm:{setting.model}"]\nvllm_command = ["{program}"]\n', encoding="utf-8")
    command = [sys.executable, "-m", "slmbatch", *question.flags, str(source), "-o", str(out), "--overwrite", "--quiet"]
    command += ["--model", f"vllm:{setting.model}", "--config", str(config)]
    command += [f"--vllm-arg={argument}" for argument in setting.arguments]
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)
    rows = pq.read_table(out / "results.parquet").to_pylist()
    if len(rows) != len(question.texts) or not all(map(replied, rows)):
        sys.exit("slmbatch left rows without a reply, or cut their text")
    cost = pq.read_table(out / "cost.parquet").to_pylist()[0]
    return cost["busy_s"], cost["input_tokens"], cost["output_tokens"]


def run_offline(question: Question, setting: Setting) -> tuple[float, int, int]:
    """The same for the requests that slmbatch sends, given to `LLM.chat`."""
    encoder = Encoder(VLLM, setting.model)
    bodies = [json.loads(encoder.body(question.task.request(text, ABLE))) for text in question.texts]
    names = ("messages", "max_tokens", "seed", "structured_outputs")
    requests = [{name: body[name] for name in names} | {"logprobs": body.get("top_logprobs")} for body in bodies]
    llm = {"model": setting.model, "enable_prefix_caching": True, **dict(map(keyword, setting.arguments))}
    told, answer = setting.folder / "requests.json", setting.folder / "answer.json"
    told.write_text(json.dumps({"llm": llm, "requests": requests}), encoding="utf-8")
    script = Path(__file__).with_name("offline_chat.py")
    subprocess.run([setting.python, script, told, answer], check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)
    last = json.loads(answer.read_text(encoding="utf-8"))
    return last["seconds"], last["read"], last["written"]


def keyword(argument: str) -> tuple[str, Any]:
    """`--max-num-seqs=4` -> ("max_num_seqs", 4)."""
    name, given, value = argument.removeprefix("--").partition("=")
    try:
        return name.replace("-", "_"), json.loads(value) if given else True
    except ValueError:
        return name.replace("-", "_"), value


def compare(name: str, question: Question, setting: Setting, pairs: int) -> None:
    offline, ours = [], []
    for number in range(2 * pairs):
        if number % 4 in {0, 3}:
            offline.append(run_offline(question, setting))
        else:
            ours.append(run_slmbatch(question, setting))
    rows = len(question.texts)
    print(f"{name}, {rows} rows, {pairs} pairs; medians, with the range in brackets; {machine()}")
    for side, runs in (("LLM.chat", offline), ("slmbatch", ours)):
        tokens = ", ".join(f"{read} + {written}" for _, read, written in runs)
        print(f"  {side}: rows/s {middle([rows / seconds for seconds, _, _ in runs], 3)}; tokens {tokens}")
    ratios = [other[0] / mine[0] for mine, other in zip(ours, offline, strict=True)]
    print(f"  ratio of rows/s, pair by pair: {middle(ratios, 3)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="the Python that has vLLM, its program beside it")
    parser.add_argument("--model", required=True, help="folder or name of the model")
    parser.add_argument("--vllm-arg", action="append", default=[], help="one argument of vLLM, for both sides")
    parser.add_argument("--tickets", type=int, default=60)
    parser.add_argument("--invoices", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(given.python.absolute(), given.model, tuple(given.vllm_arg), Path(folder))
        if given.tickets:
            compare("classify tickets", tickets(given.tickets), setting, given.pairs)
        if given.invoices:
            compare("extract invoices", invoices(given.invoices, Path(folder)), setting, given.pairs)


if __name__ == "__main__":
    main()
