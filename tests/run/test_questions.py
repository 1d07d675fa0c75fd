"""A question that was paid for is asked word for word again after a kill, whatever a cheaper model says by then.

The small tier here is sure of other fields in each session: what a local language model does when the rows reach it in
another order, only more so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.batch_provider import INPUT, OUTPUT, BatchProvider
from tests.harness import Asked, Reply, Scripted, completion, kill, results, slmbatch, start, wait_until, write_table
from tests.readers.made import text_pdf

from .test_longdocs import pages, reading

ROWS = 12
BATCHED = """
batch = true
batch_poll_s = 0.05
context_tokens = 1200
price = {input = "2", output = "10", batch_discount = "0.5", source = "contract"}
"""
FIELDS = {
    "type": "object",
    "required": ["number", "total", "project"],
    "properties": {"number": {"type": "string"}, "total": {"type": "number"}, "project": {"type": "string"}},
}
ITEM = {
    "type": "object",
    "required": ["amount"],
    "properties": {"name": {"type": "string"}, "amount": {"type": "number"}},
}
LISTS = {
    "type": "object",
    "required": ["number"],
    "properties": {"number": {"type": "string"}, "items": {"type": "array", "items": ITEM}},
}
ONCE = Decimal(7 * 1 + 3 * 10) / 1_000_000  # what a scripted reply's 7 and 3 tokens cost
SURE, UNSURE = -0.01, -2.0  # logprobs


class Wavering:
    """A model that knows everything, and is unsure of the fields in `doubts`."""

    def __init__(self, knows: Callable[[Asked], Reply], doubts: str) -> None:
        self.doubts = doubts
        self._knows = knows

    def __call__(self, asked: Asked) -> Reply:
        body = json.loads(self._knows(asked).body)
        choice = body["choices"][0]
        told = json.loads(choice["message"]["content"])
        tokens = [("{", SURE)]
        for at, (name, value) in enumerate(told.items()):
            tokens += [(f"{', ' * bool(at)}{json.dumps(name)}: ", SURE)]
            tokens += [(json.dumps(value), UNSURE if name == self.doubts else SURE)]
        tokens += [("}", SURE)]
        choice["message"]["content"] = "".join(text for text, _ in tokens)
        content = [{"token": text, "bytes": None, "logprob": one, "top_logprobs": []} for text, one in tokens]
        return Reply(body=json.dumps(body | {"choices": [choice | {"logprobs": {"content": content}}]}))


def knows(asked: Asked) -> Reply:
    found = re.search(r"Invoice no R-(\d+)", asked.text)
    assert found
    right = {"number": f"R-{found[1]}", "total": 100.5 + int(found[1]), "project": f"Falcon{found[1]}"}
    return completion(json.dumps({name: right[name] for name in fields_of(asked)}))


def fields_of(asked: Asked) -> list[str]:
    return list(asked.body["response_format"]["json_schema"]["schema"]["properties"])


def invoices(tmp_path: Path) -> Path:
    texts = [f"Invoice no R-{row}\nThanks for Falcon{row}\nTotal {100.5 + row}" for row in range(ROWS)]
    return write_table(tmp_path / "t.parquet", texts)


def long_list(tmp_path: Path) -> Path:
    path = tmp_path / "long.pdf"
    path.write_bytes(text_pdf(pages()))
    return path


def command(
    source: Path, schema: dict[str, object], small: Scripted, large: str, *more: object, config: str
) -> list[object]:
    where = source.parent
    (where / "schema.json").write_text(json.dumps(schema))
    (where / "c.toml").write_text(f'[tier."{small.model}"]\ntop_logprobs = 1\n[tier."{large}"]\n{config}\n')
    run = ["extract", source, "--schema", where / "schema.json", "-o", where / "out", "--config", where / "c.toml"]
    return [*run, "--model", small.model, "--escalate", large, "--price", f"{small.model}=0", "--quiet", *more]


def questions(server: Scripted) -> Counter[str]:
    """How often each request was received."""
    return Counter(json.dumps(one.body, sort_keys=True) for one in server.asked)


def bill(out: Path, tier: str) -> dict[str, object]:
    (cost,) = [one for one in pq.read_table(out / "cost.parquet").to_pylist() if one["tier"] == tier]
    return dict(cost)


@pytest.mark.timeout(120)
def test_a_kill_between_tiers_changes_no_question(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    wavering = Wavering(knows, doubts="total")
    small = scripted(by=wavering)
    large = scripted(by=lambda asked: Reply(body=knows(asked).body, after_s=0.05))
    price = ["--price", f"{large.model}=1/10"]
    run = command(invoices(tmp_path), FIELDS, small, large.model, *price, config="concurrency = 2")
    for moment, then in ((4, "number"), (8, "project")):
        process = start(*run)
        wait_until(lambda moment=moment: len(large.asked) >= moment, f"{moment} requests")  # type: ignore[misc]
        kill(process)
        wavering.doubts = then
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    rows = results(tmp_path / "out")
    assert [row["values"]["project"] for row in rows] == [f"Falcon{row}" for row in range(ROWS)]
    cost = bill(tmp_path / "out", large.model)
    asked = questions(large)
    assert len(asked) == ROWS
    assert asked.total() - ROWS <= cost["requests_in_doubt"] <= 2 * 2  # type: ignore[operator]  # two kills, two under way
    assert cost["usd_billed"] == ROWS * ONCE


@pytest.mark.timeout(120)
def test_a_kill_between_pieces_changes_none_of_them(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    wavering, honest = Wavering(reading(), doubts="items"), reading()
    small = scripted(by=wavering)
    large = scripted(by=lambda asked: Reply(body=honest(asked).body, after_s=0.1))
    price = ["--price", f"{large.model}=1/10"]
    run = command(
        long_list(tmp_path), LISTS, small, large.model, *price, config="context_tokens = 1200\nconcurrency = 1"
    )
    process = start(*run)
    wait_until(lambda: len(large.asked) >= 3, "three pieces")
    kill(process)
    paid = questions(large)
    wavering.doubts = "number"
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    (row,) = results(tmp_path / "out")
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 160)
    assert len(small.asked) == 1  # nor is the small tier asked again
    assert {name for one in large.asked for name in fields_of(one)} == {"items"}
    cost, asked = bill(tmp_path / "out", large.model), questions(large)
    assert len(asked) > len(paid)
    assert asked.total() - len(asked) == cost["requests_in_doubt"] <= 1  # type: ignore[operator]
    assert cost["usd_billed"] == len(asked) * ONCE


@pytest.mark.timeout(120)
def test_a_higher_budget_goes_on_with_the_same_pieces(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    wavering, honest = Wavering(reading(), doubts="items"), reading()

    def by(asked: Asked) -> Reply:
        return Reply(body=json.dumps(json.loads(honest(asked).body) | {"usage": {"prompt_tokens": 900}}))

    small, large = scripted(by=wavering), scripted(by=by)
    price = ["--price", f"{large.model}=1000/1000", "--max-usd"]
    run = command(
        long_list(tmp_path), LISTS, small, large.model, *price, config="context_tokens = 1200\nconcurrency = 1"
    )
    assert slmbatch(*run, "4").code == 4
    paid = questions(large)
    wavering.doubts = "number"
    ran = slmbatch(*run, "50")
    assert ran.code == 0, ran.err
    asked = questions(large)
    assert 0 < len(paid) < len(asked)
    assert set(asked.values()) == {1}
    assert {name for one in large.asked for name in fields_of(one)} == {"items"}


@pytest.mark.timeout(120)
def test_a_kill_changes_no_type_that_a_paid_tier_was_asked_by(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    """The small tier takes every letter for a claim in one session, and for a question in the next."""

    def reads(asked: Asked) -> Reply:
        return completion(json.dumps(dict.fromkeys(fields_of(asked), "Falcon")))

    def sorts(asked: Asked) -> Reply:
        if fields_of(asked) != ["label"]:
            return fields(asked)
        tokens = [('{"label": "', SURE), (kind, SURE), ('"}', SURE)]
        body = json.loads(completion("".join(text for text, _ in tokens)).body)
        content = [{"token": text, "bytes": None, "logprob": one, "top_logprobs": []} for text, one in tokens]
        body["choices"][0]["logprobs"] = {"content": content}
        return Reply(body=json.dumps(body))

    kind, fields = "claim", Wavering(reads, doubts="wanted")
    small = scripted(by=sorts)
    large = scripted(by=lambda asked: Reply(body=reads(asked).body, after_s=0.05))
    types = {"claim": ("wanted", "broken"), "question": ("wanted", "topic")}
    run = command(
        invoices(tmp_path), {}, small, large.model, "--price", f"{large.model}=1/10", config="concurrency = 2"
    )
    (tmp_path / "types").mkdir()
    for name, told in types.items():
        schema = {"type": "object", "required": ["wanted"], "properties": {one: {"type": "string"} for one in told}}
        (tmp_path / "types" / f"{name}.schema.json").write_text(json.dumps(schema | {"title": name}))
    run[run.index("--schema") + 1] = tmp_path / "types"
    process = start(*run)
    wait_until(lambda: len(large.asked) >= 4, "four requests")
    kill(process)
    kind = "question"
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    asked, cost = questions(large), bill(tmp_path / "out", large.model)
    assert len(asked) == ROWS
    assert asked.total() - ROWS == cost["requests_in_doubt"]
    assert cost["usd_billed"] == ROWS * ONCE


@pytest.mark.timeout(120)
def test_other_settings_take_nothing_over(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    """A run that has settled nothing takes new settings; what was said under the old ones isn't theirs."""
    small = scripted(by=Wavering(knows, doubts="total"))
    large = scripted(by=lambda asked: Reply(body=knows(asked).body, after_s=5 * (len(large.asked) <= ROWS)))
    run = command(invoices(tmp_path), FIELDS, small, large.model, "--price", f"{large.model}=1/10", config="")
    process = start(*run)
    wait_until(lambda: len(large.asked) == ROWS, "every row to go up")
    kill(process)
    assert slmbatch(*run, "--threshold", "0.7").code == 0
    assert len(small.asked) == 2 * ROWS


@pytest.mark.timeout(120)
def test_an_outage_between_pieces_is_asked_about_again_and_the_rest_is_not(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    wavering, honest = Wavering(reading(), doubts="items"), reading()
    out = {"down": True}
    small = scripted(by=wavering)

    def by(asked: Asked) -> Reply:
        return Reply(503) if out["down"] and "Article 70 " in asked.text else honest(asked)

    large = scripted(by=by)
    price = ["--price", f"{large.model}=1/10"]
    run = command(long_list(tmp_path), LISTS, small, large.model, *price, config="context_tokens = 1200\nattempts = 1")
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    (row,) = results(tmp_path / "out")
    assert row["status"] == "review"
    assert re.search(r"part \d of \d+: unavailable", row["reason"])
    assert len(row["values"]["items"]) > 100  # what the other pieces told is shown
    first = questions(large)
    assert slmbatch(*run).code == 0
    assert questions(large) == first  # a settled row isn't asked about again, unless
    out["down"], wavering.doubts = False, "number"
    assert slmbatch(*run, "--retry-failed").code == 0
    (row,) = results(tmp_path / "out")
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 160)
    again = questions(large) - first
    assert again.keys() <= first.keys()
    assert all("Article 70 " in one for one in again)
    assert bill(tmp_path / "out", large.model)["usd_billed"] == len(first) * ONCE


def long_batch(tmp_path: Path, small: Scripted, provider: BatchProvider) -> list[object]:
    """A run that asks a batch endpoint about a list over many pages, each row of which says its number."""
    path = tmp_path / "long.pdf"
    path.write_bytes(text_pdf([re.sub(r"Article (\d+)", r"[row:\1] Article \1", page) for page in pages()]))
    return command(path, LISTS, small, f"openai:m@{provider.url}", config=BATCHED)


def batched_right(tmp_path: Path, provider: BatchProvider) -> None:
    """The list is whole, and each piece was asked for and paid once, in one batch."""
    (row,) = results(tmp_path / "out")
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 160)
    (batch,) = provider.batches.values()
    assert len(batch.requests) == len(provider.answered) > 3
    assert set(provider.answered.values()) == {1}
    assert provider.online.total() == 0
    cost = bill(tmp_path / "out", f"openai:m@{provider.url}")
    assert cost["usd"] == len(batch.requests) * Decimal(INPUT * 2 + OUTPUT * 10) / 1_000_000 / 2
    assert cost["requests_in_doubt"] == 0


def test_the_pieces_of_a_document_go_into_one_batch(
    tmp_path: Path, scripted: Callable[..., Scripted], provider: Callable[..., BatchProvider]
) -> None:
    server = provider()
    ran = slmbatch(*long_batch(tmp_path, scripted(by=Wavering(reading(), doubts="items")), server))
    assert ran.code == 0, ran.err
    batched_right(tmp_path, server)


def test_a_killed_run_s_batch_of_pieces_is_fetched_whatever_is_doubted_by_then(
    tmp_path: Path, scripted: Callable[..., Scripted], provider: Callable[..., BatchProvider]
) -> None:
    wavering, server = Wavering(reading(), doubts="items"), provider(takes_s=1.5)
    small = scripted(by=wavering)
    run = long_batch(tmp_path, small, server)
    process = start(*run)
    wait_until(lambda: bool(server.batches), "a batch")
    kill(process)
    wavering.doubts = "number"
    ran = slmbatch(*run)
    assert ran.code == 0, ran.err
    assert len(small.asked) == 1
    batched_right(tmp_path, server)
