"""What vLLM and llama.cpp say of the same texts with the same weights: the same labels, fields and scores."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slmbatch.chat import Capabilities, Choice, Completion, JsonShape, Message, Request
from slmbatch.engines.llamacpp import LlamaCppEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.engines.vllm import JoinedVllm
from tests.harness import EMBEDDED, TESTS, results, slmbatch
from tests.vllm.conftest import KEY, Joined

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
SAMPLES = TESTS.parent / "sample_docs"
FIELDS = {
    "invoice_number": {"type": "string", "description": "number of the invoice"},
    "invoice_date": {"type": "string", "format": "date"},
    "currency": {"type": "string", "description": "currency of all amounts"},
    "total": {"type": "number", "description": "total to be paid"},
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)


def both(folder: Path, vllm: Joined, *arguments: object) -> tuple[Path, Path]:
    """Run the same command with both engines; return the output folders, llama.cpp's first."""
    config = folder / "c.toml"
    config.write_text(f'[tier."{EMBEDDED}"]\ncontext_tokens = 4096\nslots = 2\n')
    outs = []
    for name, model in (("llamacpp", EMBEDDED), ("vllm", vllm.model)):
        out = folder / name
        ran = slmbatch(*arguments, "-o", out, "--model", model, "--config", config, "--quiet", within_s=400)
        assert ran.code == 0, ran.err
        outs.append(out)
    return outs[0], outs[1]


def test_classify(vllm: Joined, tmp_path: Path) -> None:
    labels = SAMPLES / "labels.yaml"
    outs = both(
        tmp_path, vllm, "classify", SAMPLES / "tickets", "--labels", labels, "--text-column", "text", "--limit", 25
    )
    embedded, served = (results(out) for out in outs)
    assert len(served) == 25
    compared = [pair for pair in zip(embedded, served, strict=True) if pair[0]["label"]]
    assert len(compared) > 20
    for one, other in compared:
        print(one["label"], other["label"], one["label_scores"][:2], other["label_scores"][:2], one["label_mass"])


def test_extract(vllm: Joined, tmp_path: Path) -> None:
    schema = tmp_path / "fields.schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": FIELDS}))
    outs = both(tmp_path, vllm, "extract", SAMPLES / "invoices", "--schema", schema, "--limit", 5)
    embedded, served = (pq.read_table(out / "fields.parquet").to_pylist() for out in outs)
    for one, other in zip(embedded, served, strict=True):
        print(
            {k: one[k] for k in ("id", "path", "raw", "logprob_mean", "logprob_min", "forced_logprob")},
            {k: other[k] for k in ("raw", "logprob_mean", "logprob_min", "forced_logprob")},
        )
