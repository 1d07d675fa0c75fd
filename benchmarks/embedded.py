"""What is left of the embedded engine's speed: `slmbatch` next to the same requests sent straight to the same server.

    python benchmarks/embedded.py [--tickets 60] [--invoices 4] [--pairs 5]

Both sides ask the same questions in the same order with the same concurrency, each on a fresh server, so that the
prefix cache starts out equal. The time runs from the first request to the last reply: measured here for the straight
side, `busy_s` of cost.parquet for slmbatch. Exits with 1 when a row got no reply.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import uvloop
from measuring import ROOT, environment, machine, middle, verdict

from slmbatch.chat import Completion
from slmbatch.engines.llamacpp import LlamaCppEngine
from slmbatch.engines.models import model_file
from slmbatch.engines.settings import EngineSettings
from slmbatch.readers import ReadOptions, find, read
from slmbatch.run.answers import Task
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema_files import load_schema

MODEL = "smollm2-135m"
LABELS = ROOT / "sample_docs" / "labels.yaml"
TICKETS, INVOICES = ROOT / "sample_docs" / "tickets" / "tickets.parquet", ROOT / "sample_docs" / "invoices"
FIELDS = {  # few and without lists: the small model fills lists until it's cut off, which takes a minute a document
    "invoice_number": {"type": "string", "description": "number of the invoice"},
    "invoice_date": {"type": "string", "format": "date"},
    "currency": {"type": "string", "description": "currency of all amounts"},
    "total": {"type": "number", "description": "total to be paid"},
}
GOAL = 0.95
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Question:
    """A task, the flags that ask it on the command line, and the texts."""

    task: Task
    flags: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """How long the requests took, and their tokens: `read_tokens` were not found in the prefix cache."""

    busy_s: float
    read_tokens: int
    written_tokens: int


def tickets(count: int) -> Question:
    """The sample tickets; beyond their number they come again with a number behind them, as other texts."""
    sample = pq.read_table(TICKETS)["text"].to_pylist()
    rounds = [divmod(row, len(sample)) for row in range(count)]
    texts = tuple(f"{sample[row]} ({again + 1})" if again else sample[row] for again, row in rounds)
    return Question(ClassifyTask(load_labels(str(LABELS))), ("classify", "--labels", str(LABELS)), texts)


def invoices(count: int, folder: Path) -> Question:
    """Four fields of the first sample invoices that have a text."""
    schema = folder / "fields.schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": FIELDS}), encoding="utf-8")
    documents = (one for batch in read(find([str(INVOICES)]), ReadOptions()) for one in batch if not one.problem)
    texts = tuple(document.text for document in islice(documents, count))
    return Question(ExtractTask(load_schema(str(schema))), ("extract", "--schema", str(schema)), texts)


def run_slmbatch(question: Question, folder: Path) -> Asked:
    """One run of the command line, with a new output folder and so with a new server."""
    source, out = folder / "texts.parquet", folder / "out"
    pq.write_table(pa.table({"text": question.texts}), source)
    command = [sys.executable, "-m", "slmbatch", *question.flags, str(source), "-o", str(out)]
    command += ["--model", f"llamacpp:{MODEL}", "--overwrite", "--quiet"]
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)
    results = pq.read_table(out / "results.parquet").to_pylist()
    if len(results) != len(question.texts) or not all(replied(row) for row in results):
        sys.exit("slmbatch left rows without a reply, or cut their text")
    cost = pq.read_table(out / "cost.parquet").to_pylist()[0]
    return Asked(cost["busy_s"], cost["input_tokens"] - cost["cached_tokens"], cost["output_tokens"])


def replied(row: Mapping[str, Any]) -> bool:
    """Whether the whole text was asked about and a reply came; the small model's reply may still be of no use."""
    asked = row["status"] in {"accepted", "review"} or (row["reason"] or "").startswith("unusable_reply")
    return asked and not row["truncated"]


async def ask_straight(question: Question, folder: Path) -> Asked:
    """Start the same server and send it the same requests, prepared beforehand."""
    engine = LlamaCppEngine(model_file(MODEL, download=True), EngineSettings(), log=folder / "server.log")
    requests = [question.task.request(text, engine.capabilities) for text in question.texts]
    places = asyncio.Semaphore(engine.concurrency)

    async def ask(number: int) -> Completion:
        async with places:
            return await engine.complete(requests[number])

    await engine.start()
    try:
        started = time.monotonic()
        completions = await asyncio.gather(*(ask(number) for number in range(len(requests))))
        busy_s = time.monotonic() - started
    finally:
        await engine.close()
    usages = [one.usage for one in completions]
    read_tokens = sum(usage.input_tokens - usage.cached_tokens for usage in usages)
    return Asked(busy_s, read_tokens, sum(usage.output_tokens for usage in usages))


def compare(name: str, question: Question, pairs: int) -> None:
    """Alternate both sides, each first in every other pair, and print rows/s and their ratio pair by pair."""
    straight: list[Asked] = []
    ours: list[Asked] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2 * pairs):
            if number % 4 in {0, 3}:
                straight.append(uvloop.run(ask_straight(question, Path(folder))))
            else:
                ours.append(run_slmbatch(question, Path(folder)))
    rows = len(question.texts)
    ratios = [other.busy_s / mine.busy_s for mine, other in zip(ours, straight, strict=True)]
    print(f"{name}, {rows} rows, {pairs} pairs; medians, with the range in brackets; {machine()}")
    print_side("straight", straight, rows)
    print_side("slmbatch", ours, rows)
    print(f"  ratio of rows/s, pair by pair: {middle(ratios, 3)}")
    print(f"  goal, at least {GOAL:g} of the straight speed: {verdict(met=median(ratios) >= GOAL)}", flush=True)


def print_side(name: str, runs: Sequence[Asked], rows: int) -> None:
    rate = middle([rows / run.busy_s for run in runs], 3)
    tokens = ", ".join(f"{run.read_tokens} + {run.written_tokens}" for run in runs)
    print(f"  {name}: rows/s {rate}; tokens read + written, run by run: {tokens}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=60, help="rows to classify; 0 leaves this part out")
    parser.add_argument("--invoices", type=int, default=4, help="documents to extract; 0 leaves this part out")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs takes 1 or more")
    print(machine(), flush=True)
    if given.tickets:
        compare("classify tickets", tickets(given.tickets), given.pairs)
    if given.invoices:
        with tempfile.TemporaryDirectory() as folder:
            compare("extract invoices", invoices(given.invoices, Path(folder)), given.pairs)


if __name__ == "__main__":
    main()
