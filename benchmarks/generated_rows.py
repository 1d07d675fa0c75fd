"""The rows that are classified: as many as wanted, all different, the same every time, each with a known label."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LABELS = ("account", "card", "cash", "exchange", "fees", "limits", "security", "transfer")  # sorted, as slmbatch does
SENTENCES = (
    "I tried it twice this morning and the app only shows a grey circle.",
    "The amount on my statement is not the one that I was told before.",
    "Could somebody tell me how long this takes, and what it will cost?",
    "My colleague had the same question and got no answer for a week.",
    "Nothing has changed since my last message, and I still need help.",
    "I am travelling at the moment and can only be reached by e-mail.",
    "It worked until yesterday, when the new version was installed here.",
)
GROUP_ROWS = 20_000


def text(row: int) -> str:
    """About 170 characters, different for every row; the loopback server gives it label `row` modulo 8."""
    first, second = SENTENCES[row % 7], SENTENCES[row // 7 % 7]
    return f"[row:{row}] {first} {second} My reference is {row * 7919 % 1_000_003:07d}, thanks."


def write_rows(path: Path, rows: int) -> Path:
    """Write the input: columns id and text."""
    schema = pa.schema({"id": pa.string(), "text": pa.string()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, GROUP_ROWS):
            numbers = range(start, min(start + GROUP_ROWS, rows))
            columns = {"id": [f"id-{row}" for row in numbers], "text": [text(row) for row in numbers]}
            writer.write_table(pa.table(columns, schema))
    return path
