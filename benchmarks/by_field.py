"""Measure what asking about doubtful fields only saves, and whether answers suffer, against asking about all again.

    python benchmarks/by_field.py --sroie DIR --einvoice DIR [--tier llamacpp:PATH.gguf] [--limit N]

Rules answer first; rows that aren't accepted go up, once by field and once with --ask-whole. Without --tier the next
tier is a reader with perfect eyes on loopback: it gives the true value of each field that it is asked for, if that
stands in the text that it is shown, and null else. So its figures tell what leaving out passages loses,
not how good a model is. Its tokens are four characters each; a --tier tells its own. Right means the same as in
fields.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from field_data import Labelled, load_einvoice, load_sroie

from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.values import parse_value
from slmbatch.evaluate import same
from slmbatch.heads.fields.agree import LIKENESS, Expected
from slmbatch.readers import ReadOptions
from slmbatch.run.config import load_config
from slmbatch.run.execute import execute
from slmbatch.run.passages import GAP
from slmbatch.run.plan import Choices, make_plan
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import part_paths
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Page

CHARACTERS_PER_TOKEN = 4
NOTES = "\n\nAn earlier reading failed:"  # what follows isn't the document's
SURE = -0.01


class PerfectEyes:
    """A chat completions server that knows the true values and tells those that it can see."""

    def __init__(self, one: Labelled, texts: list[str]) -> None:
        self._fields, self._schema = dict(one.schema.fields()), one.schema
        self._gold = list(zip(texts, one.gold, strict=True))
        eyes = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = eyes.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self.model = f"openai:perfect-eyes@http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def reply(self, asked: dict[str, Any]) -> bytes:
        """Answer what is asked for and can be seen."""
        text = asked["messages"][-1]["content"].partition("\n")[2]
        names = asked["response_format"]["json_schema"]["schema"]["properties"]
        shown = text.partition(NOTES)[0].split(GAP)
        gold = next(gold for whole, gold in self._gold if all(one.strip() in whole for one in shown))
        content = json.dumps({name: self._seen(name, gold.get(name), text) for name in names})
        tokens = [{"token": content, "bytes": list(content.encode()), "logprob": SURE, "top_logprobs": []}]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        prompt = sum(len(one["content"]) for one in asked["messages"])
        used = {"prompt_tokens": prompt // CHARACTERS_PER_TOKEN, "completion_tokens": len(content) // 4}
        return json.dumps({"choices": [choice | {"logprobs": {"content": tokens}}], "usage": used}).encode()

    def _seen(self, name: str, value: object, text: str) -> str | None:
        kind = self._fields[name].kind
        typed = None if value is None else parse_value(str(value), kind, literal=True)
        if typed is None:
            return None
        index = TextIndex([Page(1, text)], day_first=self._schema.day_first)
        return str(value) if index.find(str(value), typed, kind).stands else None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def run(one: Labelled, inputs: Path, out: Path, tier: str, *, whole: bool) -> tuple[Counter[str], int, int]:
    """Return the counts of one run, and how many of its values are right, of how many."""
    prices = (f"{tier}=0",) if "@" in tier else ()
    chosen = Choices((str(inputs),), out, escalate=(tier,), prices=prices, whole=whole)
    with RunFolder(out).claimed() as folder:
        execute(make_plan(ExtractTask(one.schema), chosen, load_config(None), ReadOptions(workers=1)), folder)
        attempts = [
            attempt
            for path in part_paths(folder.parts)
            for row in pq.read_table(path, columns=["attempts"])["attempts"].to_pylist()
            for attempt in row[1:]
        ]
    rows = {row["id"].removesuffix(".txt"): row for row in pq.read_table(out / "results.parquet").to_pylist()}
    counts = Counter({f"{row['status']}": 0 for row in rows.values()})
    counts.update(row["status"] for row in rows.values())
    counts["went up"] = len(attempts)
    counts["input tokens"] = sum(attempt["input_tokens"] for attempt in attempts)
    counts["output tokens"] = sum(attempt["output_tokens"] for attempt in attempts)
    right = [
        is_right(one, path, value, (rows[document.id]["values"] or {}).get(path))
        for document, gold in zip(one.documents, one.gold, strict=True)
        if document.id in rows
        for path, value in gold.items()
    ]
    fields = pq.read_table(out / "fields.parquet", columns=["agreed", "repaired"])
    counts["agreed"], counts["repaired"] = (sum(fields[name].to_pylist()) for name in ("agreed", "repaired"))
    return counts, sum(right), len(right)


def is_right(one: Labelled, path: str, value: object, found: Any) -> bool:
    """Say whether a value found is the expected one, as in fields.py."""
    hint = dict(one.schema.fields())[path].hint
    assert hint is not None
    if hint.kind in LIKENESS or one.name == "sroie":
        return found is not None and Expected(value, hint.kind).agrees(found)
    return same(found, value)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sroie", type=Path, required=True)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--tier", help="ask this tier instead of a reader with perfect eyes")
    parser.add_argument("--limit", type=int, help="the first so many documents of each set")
    options = parser.parse_args()
    for one in (load_sroie(options.sroie), load_einvoice(options.einvoice)):
        texts = [document.text for document in one.documents]
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder) / "in"
            inputs.mkdir()
            for document in one.documents[: options.limit]:
                (inputs / f"{document.id}.txt").write_text(document.text)
            for whole in (False, True):
                eyes = None if options.tier else PerfectEyes(one, texts)
                tier = options.tier or eyes.model  # type: ignore[union-attr]
                counts, right, of = run(one, inputs, Path(folder) / f"out-{whole}", tier, whole=whole)
                told = ", ".join(f"{name} {count}" for name, count in counts.items())
                print(f"{one.name}, {'whole' if whole else 'by field'}: right {right} of {of}; {told}", flush=True)
                if eyes:
                    eyes.close()


if __name__ == "__main__":
    main()
