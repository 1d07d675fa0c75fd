"""What slmbatch is measured against: the shortest decent loop that asks the same questions, with nothing but aiohttp.

    python benchmarks/bare_loop.py ROWS.parquet TEMPLATE.json URL CONCURRENCY OUT.jsonl

Reads a Parquet file (columns id, text), asks about each row with as many workers as the concurrency, and writes one
JSON line (id, label) per reply in the order of the replies. No retries, no checks, no scores, no resume, no order, no
costs. The template is the request's JSON with an empty text; bodies and replies go through Python's own json.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import aiohttp
import pyarrow.parquet as pq
import uvloop

BATCH_ROWS = 512  # as slmbatch reads


def rows(path: str) -> Iterator[tuple[str, str]]:
    """Yield id and text of each row."""
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=["id", "text"], use_threads=False):
        yield from zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)


def body(template: dict[str, Any], text: str) -> bytes:
    """The request about one text."""
    system, user = template["messages"]
    filled = template | {"messages": [system, user | {"content": user["content"] + text}]}
    return json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode()


async def ask_all(path: str, template: dict[str, Any], url: str, concurrency: int, out: IO[str]) -> None:
    """Ask about every row, `concurrency` at a time."""
    waiting = rows(path)

    async def work(session: aiohttp.ClientSession) -> None:
        for id_, text in waiting:
            async with session.post(f"{url}/chat/completions", data=body(template, text)) as response:
                response.raise_for_status()
                reply = json.loads(await response.read())
            label = json.loads(reply["choices"][0]["message"]["content"])["label"]
            out.write(json.dumps({"id": id_, "label": label}) + "\n")

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency), headers=headers) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


def main() -> None:
    path, template, url, concurrency, out = sys.argv[1:]
    with Path(out).open("w", encoding="utf-8") as file:
        uvloop.run(ask_all(path, json.loads(Path(template).read_text("utf-8")), url, int(concurrency), file))


if __name__ == "__main__":
    main()
