"""What slmbatch itself costs per row: `slmbatch classify` next to a bare HTTP loop that asks exactly the same.

    python benchmarks/orchestration.py [--rows 20000] [--pairs 3]     CPU, speed and memory, against the bare loop
    python benchmarks/orchestration.py --memory                       memory at 20,000 and at 1,000,000 rows

The server answers at once and runs in a process of its own, which isn't counted. Exits with 1 when an answer is wrong,
missing or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import bare_loop
import pyarrow.parquet as pq
from generated_rows import LABELS, text, write_rows
from measuring import ROOT, Spent, loopback_server, machine, middle, recording_server, run_measured, verdict

from slmbatch.engines.remote import RemoteEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.errors import RequestError
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.labels import load_labels

CPU_GOAL, MEMORY_GOAL_MB = 2.0, 100.0
FEW, MANY = 20_000, 1_000_000
LIMIT_S, MEMORY_LIMIT_S = 300.0, 1500.0


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the files lie, whom to ask, and how."""

    folder: Path
    url: str
    price: str = "0"  # "1/1": every request goes through the ledger

    @property
    def model(self) -> str:
        return f"openai:m@{self.url}"

    def engine(self) -> RemoteEngine:
        return RemoteEngine(parse_spec(self.model), EngineSettings())


def write_template(setting: Setting) -> Path:
    """Write the bare loop's request, taken from slmbatch's own, after making sure that both send the same bytes."""
    texts = ["", *(text(row) for row in range(20)), 'quotes " \\ \n größer 😀']
    empty, *bodies = asyncio.run(sent_by_slmbatch(texts))
    template = json.loads(empty)
    if bodies != [bare_loop.body(template, asked) for asked in texts[1:]]:
        sys.exit("the bare loop's requests differ from slmbatch's")
    path = setting.folder / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    return path


async def sent_by_slmbatch(texts: Sequence[str]) -> list[bytes]:
    """Return the bodies that slmbatch's client puts on the wire for these texts."""
    task = ClassifyTask(load_labels(",".join(LABELS)))
    with recording_server() as (url, bodies):
        engine = Setting(Path(), url).engine()
        await engine.start()
        for asked in texts:
            with suppress(RequestError):  # an empty reply
                await engine.complete(task.request(asked, engine.capabilities))
        await engine.close()
    return bodies


def run_slmbatch(setting: Setting, source: Path, rows: int, *, limit_s: float = LIMIT_S) -> Spent:
    """Classify the file into a new folder, and check every result."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as out:
        command = [sys.executable, "-m", "slmbatch", "classify", str(source), "--labels", ",".join(LABELS)]
        command += [
            "--model",
            setting.model,
            "--price",
            f"{setting.model}={setting.price}",
            "--id-column",
            "id",
            "--quiet",
            "-o",
            out,
        ]
        spent = run_measured(command, limit_s=limit_s)
        check_table(Path(out) / "results.parquet", rows)
    return spent


def run_bare(setting: Setting, source: Path, rows: int, template: Path) -> Spent:
    """Ask the same with the bare loop, and check every reply; their order is left to chance there."""
    out = setting.folder / "bare.jsonl"
    command = [sys.executable, str(ROOT / "benchmarks" / "bare_loop.py"), str(source), str(template), setting.url]
    spent = run_measured([*command, str(setting.engine().concurrency), str(out)], limit_s=LIMIT_S)
    labels = {entry["id"]: entry["label"] for entry in map(json.loads, out.read_text("utf-8").splitlines())}
    wrong = len(labels) != rows or any(labels[f"id-{row}"] != LABELS[row % 8] for row in range(rows))
    if wrong:
        sys.exit("the bare loop got wrong answers")
    return spent


def check_table(path: Path, rows: int) -> None:
    """Every row is there, in input order, accepted, with the label that belongs to its number."""
    seen = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=["id", "status", "label"]):
        found = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        for row, (id_, status, label) in enumerate(found, seen):
            if (id_, status, label) != (f"id-{row}", "accepted", LABELS[row % 8]):
                sys.exit(f"row {row} is wrong: {id_} {status} {label}")
        seen += batch.num_rows
    if seen != rows:
        sys.exit(f"{seen} results for {rows} rows")


def compare(setting: Setting, rows: int, pairs: int) -> None:
    """Alternate both, and print what they took."""
    template = write_template(setting)
    source, single = write_rows(setting.folder / "rows.parquet", rows), write_rows(setting.folder / "one.parquet", 1)
    bare: list[tuple[Spent, Spent]] = []
    ours: list[tuple[Spent, Spent]] = []
    for number in range(pairs):
        bare.append((run_bare(setting, single, 1, template), run_bare(setting, source, rows, template)))
        ours.append((run_slmbatch(setting, single, 1), run_slmbatch(setting, source, rows)))
        print(f"pair {number + 1} of {pairs} done; {machine()}", flush=True)
    print(f"{rows} rows, {setting.engine().concurrency} at a time, {pairs} pairs; medians, with the range in brackets")
    print_side("bare loop", bare, rows)
    print_side("slmbatch", ours, rows)
    whole = [mine[1].cpu_s / other[1].cpu_s for mine, other in zip(ours, bare, strict=True)]
    marginal = [per_1000(*mine, rows) / per_1000(*other, rows) for mine, other in zip(ours, bare, strict=True)]
    print(f"CPU, slmbatch to bare loop, pair by pair: with start-up {middle(whole, 2)}, marginal {middle(marginal, 2)}")
    met = max(median(whole), median(marginal)) <= CPU_GOAL
    print(f"goal, at most {CPU_GOAL:g} times the bare loop's CPU: {verdict(met=met)}")


def print_side(name: str, runs: list[tuple[Spent, Spent]], rows: int) -> None:
    whole = [long.cpu_s / rows * 1000 for _, long in runs]
    print(f"{name}:")
    print(f"  CPU s per 1,000 rows, with start-up  {middle(whole, 3)}")
    print(f"  CPU s per 1,000 rows, marginal       {middle([per_1000(*run, rows) for run in runs], 3)}")
    print(f"  CPU s of a run of one row            {middle([short.cpu_s for short, _ in runs], 2)}")
    print(f"  rows/s, with start-up                {middle([rows / long.wall_s for _, long in runs], 0)}")
    print(f"  peak RSS, MiB                        {middle([long.peak_mb for _, long in runs], 0)}")


def per_1000(short: Spent, long: Spent, rows: int) -> float:
    """CPU seconds of 1,000 further rows: what a run of one row takes is start-up."""
    return (long.cpu_s - short.cpu_s) / (rows - 1) * 1000


def compare_memory(setting: Setting) -> None:
    """Print the peak memory of a short and of a long run."""
    peaks = []
    for rows in (FEW, MANY):
        source = write_rows(setting.folder / "rows.parquet", rows)
        spent = run_slmbatch(setting, source, rows, limit_s=MEMORY_LIMIT_S)
        peaks.append(spent.peak_mb)
        speed = f"{rows / spent.wall_s:.0f} rows/s, {spent.cpu_s / rows * 1000:.3f} CPU s per 1,000 rows"
        print(f"{rows:>9} rows: peak RSS {spent.peak_mb:.0f} MiB; {speed}; {machine()}", flush=True)
    more = peaks[1] - peaks[0]
    print(f"difference {more:.0f} MiB; goal, at most {MEMORY_GOAL_MB:g}: {verdict(met=more <= MEMORY_GOAL_MB)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--paid", action="store_true", help="give the tier a price: every request through the ledger")
    given = parser.parse_args()
    if given.rows < 2 or given.pairs < 1:
        parser.error("--rows takes 2 or more, --pairs 1 or more")
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder, loopback_server() as url:
        setting = Setting(Path(folder), url, "1/1" if given.paid else "0")
        if given.memory:
            compare_memory(setting)
        else:
            compare(setting, given.rows, given.pairs)


if __name__ == "__main__":
    main()
