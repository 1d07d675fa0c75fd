"""Measure the passages that are shown of a long document first: whether what is asked for stands there, and the tokens.

    python benchmarks/longdocs.py DIR [--context 2048]
    python benchmarks/longdocs.py --einvoice DIR

The second: how often the rows of sample invoices, counted without a model, are as many as their lines.

DIR holds contracts with known values (documents.parquet: doc, text; truth.parquet: doc, field, value), as those of
Kleister-NDA. Tokens are the embedded model's, without the chat template. A value counts as shown where it stands
anywhere in the passages, so that a state named in an address counts too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from field_data import load_einvoice, load_lines

from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.rows import count_rows
from slmbatch.checks.values import parse_value
from slmbatch.engines.engine import Engine
from slmbatch.engines.loaders import load_engine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.run.asking import BEST_LINES, TEMPLATE_TOKENS
from slmbatch.run.passages import passages
from slmbatch.run.pieces import split
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.types import Page

MODEL = "llamacpp:smollm2-135m"
LABELS = {
    "effective_date": ["effective date", "dated as of", "entered into as of", "made on the day of"],
    "jurisdiction": ["governed by the laws of", "governing law", "jurisdiction"],
    "party": ["by and between", "party", "company", "recipient"],
    "term": ["term", "years from the date", "months", "expire", "remain in effect for a period of"],
}
SCHEMA = {
    "type": "object",
    "properties": {
        name: {
            "type": "string",
            "description": name.replace("_", " ") + " of the agreement",
            "x-slmbatch": {"labels": labels},
            **({"format": "date"} if name == "effective_date" else {}),
        }
        for name, labels in LABELS.items()
    },
}
TASK = ExtractTask(compile_schema(SCHEMA, name="contract", where="contract"))
FIELDS = dict(TASK.schema.fields())


def stands(text: str, field: str, value: str) -> bool:
    """Say whether a true value stands in a text."""
    kind = FIELDS[field].kind
    typed = parse_value(value, kind)
    return typed is not None and TextIndex([Page(1, text)]).find(value, typed, kind).stands


async def measure(engine: Engine, texts: Mapping[str, str], truth: list[tuple[str, str, str]], context: int) -> None:
    async def tokens(text: str) -> int:
        return await engine.count(text) or 0

    fixed = await tokens(TASK.instructions)
    room = context - fixed - TASK.max_tokens - TEMPLATE_TOKENS
    long = {doc: text for doc, text in texts.items() if await tokens(text) > room}
    known = [(doc, field, value) for doc, field, value in truth if doc in long and stands(long[doc], field, value)]
    missing = sum(doc in long for doc, _, _ in truth) - len(known)
    print(f"{len(long)} of {len(texts)} documents are longer than {room} tokens (context {context}).")
    print(f"{len(known)} of their true values stand in them, {missing} don't as they are written.")
    requests = sent = 0
    for text in long.values():

        async def cut(start: int, text: str = text) -> int:
            return start + len(await engine.cut(text[start : start + 8 * room], room))

        for piece in await split(text, [], cut):
            requests += 1
            sent += fixed + await tokens(text[piece.start : piece.end])
    print(f"in pieces: {requests / len(long):.1f} requests and {sent / len(long):.0f} tokens for each document")
    for best in BEST_LINES:
        shown = {doc: passages(text, list(FIELDS.items()), (), best=best) or text for doc, text in long.items()}
        sizes = {doc: await tokens(text) for doc, text in shown.items()}
        fit = [doc for doc, size in sizes.items() if size <= room]
        found, of = Counter[str](), Counter[str]()
        for doc, field, value in known:
            of[field] += 1
            found[field] += stands(shown[doc], field, value)
        print(f"\n{best} lines for each field: {fixed + sum(sizes.values()) / len(long):.0f} tokens for each document;")
        print(f"  {len(fit)} of {len(long)} fit into one request")
        for field in FIELDS:
            print(f"  {field}: {found[field]} of {of[field]} values stand in what is shown")
        print(f"  together: {found.total()} of {of.total()}, {100 * found.total() / of.total():.1f} %")


def rows(folder: Path) -> None:
    """Print how the counts of rows compare with the true numbers of lines."""
    invoices, lines = load_einvoice(folder), load_lines(folder)
    for designed in (True, False):
        told = Counter[str]()
        for document, made in zip(invoices.documents, invoices.designed, strict=True):
            if made is designed:
                counted, true = count_rows(document.text), len(lines.get(document.id, []))
                told["all" if counted == true else "none" if not counted else "some" if counted < true else "more"] += 1
        print("designed:" if designed else "prints of the XML:", dict(told))


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--einvoice", type=Path)
    options.add_argument("--context", type=int, default=2048)
    given = options.parse_args()
    if given.einvoice:
        rows(given.einvoice)
    if given.folder is None:
        return
    contracts = pq.read_table(given.folder / "documents.parquet", columns=["doc", "text"]).to_pylist()
    true = pq.read_table(given.folder / "truth.parquet", columns=["doc", "field", "value"]).to_pylist()
    truth = [(one["doc"], one["field"], one["value"].replace("_", " ")) for one in true if one["field"] in FIELDS]
    with tempfile.TemporaryDirectory() as made:
        engine = load_engine(parse_spec(MODEL), EngineSettings(slots=1), log=Path(made) / "log", download=True)
        await engine.start()
        try:
            await measure(engine, {one["doc"]: one["text"] for one in contracts}, truth, given.context)
        finally:
            await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
