"""What vLLM and llama.cpp say of the same texts with the same weights: the same labels, fields and scores.

Both compute in floating point with other kernels (llama.cpp multiplies in 8 bit), so logprobs differ by 0.1 or so.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slmbatch.chat import Choice, Completion, JsonShape, Message, Request
from slmbatch.confidence.tokens import LabelScorer
from slmbatch.engines.llamacpp import LlamaCppEngine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.engines.vllm import JoinedVllm
from slmbatch.errors import ContextTooLong
from tests.harness import EMBEDDED, TESTS, results, slmbatch
from tests.vllm.conftest import KEY, Joined

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
SAMPLES = TESTS.parent / "sample_docs"
TOLERANCE = 0.1  # of a probability, and of a mean logprob
FIELDS = {
    "invoice_number": {"type": "string", "description": "number of the invoice"},
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
    for name, model in (("llamacpp", EMBEDDED), ("vllm", vllm.model)):
        tier = ("--model", model, "--config", config)
        ran = slmbatch(*arguments, "-o", folder / name, *tier, "--quiet", within_s=400)
        assert ran.code == 0, ran.err
    return folder / "llamacpp", folder / "vllm"


def test_tickets_get_the_same_labels_and_llama_cpp_holds_back_what_it_is_not_told(vllm: Joined, tmp_path: Path) -> None:
    arguments = ("--labels", SAMPLES / "labels.yaml", "--text-column", "text", "--limit", 10)
    embedded, served = map(results, both(tmp_path, vllm, "classify", SAMPLES / "tickets", *arguments))
    pairs = [(one, other) for one, other in zip(embedded, served, strict=True) if one["status"] != "unreadable"]
    assert len(pairs) >= 9
    # One may fall out otherwise where the two best labels are within the tolerance.
    assert sum(one["label"] == other["label"] for one, other in pairs) >= len(pairs) - 1
    for one, other in pairs:
        told = [{share["label"]: share["score"] for share in row["label_scores"]} for row in (one, other)]
        # Of 49,152 tokens llama.cpp tells the likeliest 200, vLLM the likeliest that the mask lets through.
        assert len(told[1]) >= len(told[0])
        for label, score in told[0].items():
            assert score <= told[1][label] + TOLERANCE
        assert one["label_mass"] is not None
        assert other["label_mass"] is None


def test_invoices_get_the_same_fields_with_the_same_scores(vllm: Joined, tmp_path: Path) -> None:
    schema = tmp_path / "fields.schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": FIELDS}))
    outs = both(tmp_path, vllm, "extract", SAMPLES / "invoices", "--schema", schema, "--limit", 5)
    embedded, served = (pq.read_table(out / "fields.parquet").to_pylist() for out in outs)
    pairs = [(one, other) for one, other in zip(embedded, served, strict=True) if one["raw"] == other["raw"]]
    assert len(pairs) >= 0.7 * len(embedded) > 2  # what breaks off in one of them has no fields
    for one, other in pairs:
        if one["logprob_mean"] is not None:
            assert other["logprob_mean"] == pytest.approx(one["logprob_mean"], abs=2 * TOLERANCE), one["path"]
            assert other["forced_logprob"] is None


def with_both(vllm: Joined, model: Path, folder: Path, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do something with either engine; return what each came to, llama.cpp's first."""

    async def run() -> list[Any]:
        settings = EngineSettings(slots=1, context_tokens=1024)
        came = []
        engines = (LlamaCppEngine(model, settings, log=folder / "log"), JoinedVllm(parse_spec(vllm.model), settings))
        for engine in engines:
            try:
                await engine.start()
                came.append(await work(engine))
            finally:
                await engine.close()
        return came

    return asyncio.run(run())


def asked(text: str, shape: Choice | JsonShape, *, top: int = 200) -> Callable[[Any], Coroutine[Any, Any, Completion]]:
    async def work(engine: Any) -> Completion:
        completion: Completion = await engine.complete(Request((Message("user", text),), shape, 24, top))
        return completion

    return work


def test_where_a_model_names_labels_by_itself_the_scores_are_the_same(
    vllm: Joined, embedded_model: Path, tmp_path: Path
) -> None:
    question = asked(
        "What is the capital of France? Answer with one word: Paris, Berlin or Rome.",
        Choice(("Paris", "Berlin", "Rome")),
    )
    embedded, served = with_both(vllm, embedded_model, tmp_path, question)
    scorer = LabelScorer({name: name.encode() for name in ("Paris", "Berlin", "Rome")})
    told = [scorer.score(completion.tokens) for completion in (embedded, served)]
    assert told[1].scores == pytest.approx(told[0].scores, abs=TOLERANCE)
    assert told[0].mass < 1 - TOLERANCE  # it would also have written something else


def test_vllm_tells_logprobs_from_behind_the_mask(vllm: Joined, embedded_model: Path, tmp_path: Path) -> None:
    """The reason for raw_logprobs=False. If this fails, vLLM has changed, and `label_mass` can be had from it."""
    question = asked("My card has not arrived. What can I do?", Choice(("zebra", "quagga")))
    embedded, served = with_both(vllm, embedded_model, tmp_path, question)
    first = served.tokens[0]
    let_through = [data for data, logprob in first.top if logprob > math.log(1e-9)]
    assert all(b"zebra".startswith(data) or b"quagga".startswith(data) for data in let_through)
    assert sum(math.exp(logprob) for _, logprob in first.top) == pytest.approx(1, abs=1e-3)
    assert embedded.tokens[0].logprob < math.log(0.01) < first.logprob


def test_tokens_spell_the_reply_in_bytes_whatever_the_script(
    vllm: Joined, embedded_model: Path, tmp_path: Path
) -> None:
    reply = "Größe 12 € 😀"
    for completion in with_both(vllm, embedded_model, tmp_path, asked("Hello", Choice((reply, "nothing")))):
        assert completion.text in {reply, "nothing"}
    only = Choice((reply, f"{reply}?"))
    for completion in with_both(vllm, embedded_model, tmp_path, asked("Hello", only)):
        spelled = b"".join(token.data for token in completion.tokens)
        assert spelled.startswith(completion.text.encode())


def test_a_long_text_is_cut_at_the_same_place(vllm: Joined, embedded_model: Path, tmp_path: Path) -> None:
    text = "Die Lieferung kam am 12.03. an, 😀 aber ein Teil fehlte. " * 60

    async def work(engine: Any) -> tuple[int, str]:
        cut = await engine.cut(text, 300)
        return await engine.count(cut), cut

    (most, exact), (count, near) = with_both(vllm, embedded_model, tmp_path, work)
    assert text.startswith(near)
    assert count <= 300
    assert abs(len(near) - len(exact)) < 40, (most, count)


def test_a_text_longer_than_the_context_is_said_to_be(vllm: Joined) -> None:
    async def work() -> None:
        engine = JoinedVllm(parse_spec(vllm.model), EngineSettings())
        await engine.start()
        try:
            assert engine.capabilities.context_tokens == 4096
            with pytest.raises(ContextTooLong):
                await engine.complete(Request((Message("user", "word " * 5000),), Choice(("a", "b")), 4, 0))
        finally:
            await engine.close()

    asyncio.run(work())
