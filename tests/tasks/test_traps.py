"""The traps of constrained decoding, shown with the real embedded model: what the grammar must allow and forbid."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slmbatch.chat import Completion, JsonShape, Request
from slmbatch.confidence.gate import FORCED_LOGPROB
from slmbatch.confidence.tokens import TokenSpans
from slmbatch.engines.llamacpp import LlamaCppEngine
from slmbatch.engines.models import model_file
from slmbatch.engines.settings import EngineSettings
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.tasks.spans import scan

RECEIPT = """CORNER SHOP
12 High Street
Date: 12/03/2024
Tea 2 x 1.50 3.00
Milk 1.20
TOTAL 4.20
CASH 5.00
CHANGE 0.80"""
SCHEMA = {
    "type": "object",
    "properties": {
        "shop": {"type": "string", "description": "name of the shop"},
        "total": {"type": "number", "description": "total amount"},
        "change": {"type": "number"},
    },
    "required": ["total"],
}


class Asking:
    """One engine for all traps, on an event loop of its own."""

    def __init__(self, log: Path) -> None:
        self.loop = asyncio.new_event_loop()
        settings = EngineSettings(slots=1, context_tokens=1024)
        self.engine = LlamaCppEngine(model_file("smollm2-135m", download=True), settings, log=log)
        self.loop.run_until_complete(self.engine.start())
        self.task = ExtractTask(compile_schema(SCHEMA, name="receipt", where="receipt"))

    def ask(self, amount: list[dict[str, Any]] | None = None) -> Completion:
        """Ask for the receipt's fields; `amount` replaces what the total may be."""
        request = self.task.request(RECEIPT, self.engine.capabilities)
        if amount is not None:
            assert isinstance(request.shape, JsonShape)
            schema = json.loads(request.shape.schema)
            schema["properties"]["total"] = {"anyOf": amount}
            request = replace(request, shape=JsonShape("changed", json.dumps(schema)))
        return self.complete(request)

    def complete(self, request: Request) -> Completion:
        return self.loop.run_until_complete(self.engine.complete(request))

    def close(self) -> None:
        self.loop.run_until_complete(self.engine.close())
        self.loop.close()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    asking = Asking(tmp_path_factory.mktemp("log") / "llamacpp.log")
    yield asking
    asking.close()


def deciding_logprob(completion: Completion, path: str) -> float:
    leaf = next(leaf for leaf in scan(completion.text).leaves if leaf.path == path)
    assert completion.tokens is not None
    told = TokenSpans(completion.tokens).score(leaf.start, leaf.end, decided_at=leaf.start)
    assert told is not None
    return told.first


def test_amounts_may_be_json_numbers_and_then_nothing_is_forced(asking: Asking) -> None:
    completion = asking.ask()
    assert json.loads(completion.text)["total"] == 4.2
    assert deciding_logprob(completion, "total") > FORCED_LOGPROB


def test_with_strings_only_the_same_model_loses_the_amount_and_the_flag_shows_it(asking: Asking) -> None:
    completion = asking.ask([{"type": "string", "maxLength": 40}, {"type": "null"}])
    assert "4.20" not in str(json.loads(completion.text)["total"])
    assert deciding_logprob(completion, "total") < FORCED_LOGPROB


def test_a_forced_null_shows_as_forced(asking: Asking) -> None:
    completion = asking.ask([{"type": "null"}])
    assert json.loads(completion.text)["total"] is None
    assert deciding_logprob(completion, "total") < FORCED_LOGPROB


def test_white_space_is_bounded_even_where_the_model_is_forbidden_what_it_wants(asking: Asking) -> None:
    for completion in (asking.ask(), asking.ask([{"type": "null"}])):
        assert not re.search(r"\s{6}", completion.text)
        assert not completion.cut_short


def test_a_value_ends_where_it_ends_because_a_line_break_may_follow(asking: Asking) -> None:
    assert json.loads(asking.ask().text)["change"] == 0.8  # without blanks at all, models add digits: 0.800299


def test_a_looping_model_is_stopped_by_the_length_of_the_string(asking: Asking) -> None:
    request = asking.task.request("Write the digit 1 a thousand times. " + "1" * 300, asking.engine.capabilities)
    completion = asking.complete(replace(request, max_tokens=400))
    assert all(len(leaf.text or "") <= 200 for leaf in scan(completion.text).leaves)
