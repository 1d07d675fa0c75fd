"""Pages that are read poorly go up as pictures, to tiers that see, and only those: asked of a scripted server."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from PIL import Image

from slmbatch.chat import Message, Picture, Request
from slmbatch.engines.dialects.pictures import MOST_TOKENS, chat_content, messages_content, weigh
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.money.prices import Price, Rates
from slmbatch.readers import ReadOptions, find
from slmbatch.readers.read import read_file
from slmbatch.run.passages import GAP
from slmbatch.run.pieces import Piece
from slmbatch.run.plan import TierPlan
from slmbatch.run.seeing import MOST_PAGES, as_seen, passages_of, picture_tokens, shown_pages, with_pictures
from slmbatch.run.settling import worst_case
from slmbatch.types import Document, Page
from tests.batch_provider import BatchProvider
from tests.harness import LABELS, Asked, Scripted, completion, results, right_label, slmbatch
from tests.readers.made import text_pdf
from tests.readers.test_ocr import drawn, saved

SCHEMA = """{"type": "object", "required": ["number", "total"], "properties": {
    "number": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice number"]}},
    "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}}}}"""
TEXTS = [(60, 60, "Invoice number"), (400, 60, "A-1234"), (60, 140, "Total"), (400, 140, "56.70"), (60, 220, "Thanks")]
REPLY = completion(json.dumps({"number": "A-1234", "total": "56.70"}))


def clear() -> Image.Image:
    return drawn(TEXTS, (700, 300))


def poor() -> Image.Image:
    """Return the same page so blurred that the OCR is mostly unsure of it, and its total can just be read."""
    return clear().resize((110, 47)).resize((700, 300))


@dataclass(frozen=True)
class World:
    """A folder with documents, and a server that they go up to."""

    folder: Path
    server: Scripted

    def extract(self, *options: object, out: str = "out", settings: str = "sees = true") -> int:
        config = self.folder / f"{out}.toml"
        config.write_text(f'[tier."{self.server.model}"]\n{settings}\n')
        arguments = ["extract", self.folder / "in", "--schema", self.folder / "s.json", "-o", self.folder / out]
        arguments += ["--config", config, "--threshold", 1, "--escalate", self.server.model, *options]
        ran = slmbatch(*arguments)
        assert not ran.err.count("Traceback"), ran.err
        return ran.code

    def pictures(self) -> list[list[Image.Image]]:
        return [pictures(asked) for asked in self.server.asked]


def pictures(asked: Asked) -> list[Image.Image]:
    content = asked.body["messages"][-1]["content"]
    parts: list[dict[str, Any]] = [] if isinstance(content, str) else content
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [Image.open(io.BytesIO(b64decode(url.partition(",")[2]))) for url in urls]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A folder with one poor scan, and a server that knows what is on it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "poor.png").write_bytes(saved(poor()))
    (tmp_path / "s.json").write_text(SCHEMA)
    server = Scripted(REPLY)
    yield World(tmp_path, server)
    server.close()


def test_only_pages_that_are_read_poorly_are_shown(world: World) -> None:
    (world.folder / "in" / "clear.png").write_bytes(saved(clear()))
    scan = io.BytesIO()
    first, second = clear(), poor()
    first.save(scan, "TIFF", save_all=True, append_images=[second])
    (world.folder / "in" / "two.tiff").write_bytes(scan.getvalue())
    (world.folder / "in" / "text.pdf").write_bytes(text_pdf(["Invoice number A-1234 Total 56.70"]))
    assert world.extract("--price", f"{world.server.model}=0") == 0
    shown = {len(one) for one in world.pictures()}
    told = sorted(
        (asked.text.count("image_url"), "page 2 was read poorly" in asked.text) for asked in world.server.asked
    )
    assert shown == {0, 1}
    assert [pages > 0 for pages, _ in told] == [False, False, True, True]
    assert [second for _, second in told].count(True) == 1, "of the two pages the first can be read"
    (picture,) = next(one for one in world.pictures() if one)
    assert picture.size == (700, 300)


def test_a_tier_that_does_not_see_is_shown_none(world: World) -> None:
    assert world.extract("--price", f"{world.server.model}=0", settings="sees = false") == 0
    assert world.pictures() == [[]]


def test_what_the_picture_tells_settles_what_the_ocr_was_unsure_of(world: World) -> None:
    assert world.extract("--price", f"{world.server.model}=0") == 0
    (row,) = results(world.folder / "out")
    assert row["status"] == "accepted", row["reason"]
    assert "page 1: OCR is unsure of its text" in row["warnings"][0]
    fields = {one["path"]: one for one in pq.read_table(world.folder / "out" / "fields.parquet").to_pylist()}
    assert fields["total"]["value"] == "56.70"
    assert fields["total"]["ocr"] is None
    assert fields["total"]["box"] is not None


def test_a_value_that_only_the_picture_has_is_left_to_a_person(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "poor.png").write_bytes(saved(poor()))
    (tmp_path / "s.json").write_text(SCHEMA)
    server = Scripted(completion(json.dumps({"number": "B-9999", "total": "56.70"})))
    try:
        assert World(tmp_path, server).extract("--price", f"{server.model}=0") == 0
    finally:
        server.close()
    (row,) = results(tmp_path / "out")
    assert (row["status"], row["values"]["number"]) == ("review", "B-9999")
    assert "number: not found in the document" in row["reason"]


def test_a_picture_that_was_paid_for_is_not_paid_for_again(world: World) -> None:
    paid = ("--price", f"{world.server.model}=1/4")
    assert world.extract(*paid) == 0
    assert world.extract(*paid, "--overwrite") == 0
    assert len(world.server.asked) == 1
    other = poor()
    other.putpixel((2, 2), 0)  # the OCR reads the same
    (world.folder / "in" / "poor.png").write_bytes(saved(other))
    assert world.extract(*paid) == 0
    assert len(world.server.asked) == 2


def test_the_cap_holds_for_pictures_too(world: World) -> None:
    model = world.server.model
    assert world.extract("--price", f"{model}=1/4", "--max-usd", "0.04") == 4  # a picture may take 50,000 tokens
    assert not world.server.asked
    assert world.extract("--price", f"{model}=1/4", "--max-usd", "0.06") == 0
    assert len(world.server.asked) == 1


def test_a_forecast_counts_pictures(world: World) -> None:
    def forecast(settings: str) -> float:
        config = world.folder / "f.toml"
        config.write_text(f'[tier."{world.server.model}"]\n{settings}\n')
        arguments = ["estimate", world.folder / "in", "--schema", world.folder / "s.json", "-o", world.folder / "no"]
        arguments += ["--config", config, "--escalate", world.server.model, "--price", f"{world.server.model}=1000/0"]
        ran = slmbatch(*arguments, "--json")
        assert ran.code == 0, ran.err
        return float(json.loads(ran.out)["rest"]["top_usd_p50"])

    tokens = (forecast("sees = true") - forecast("sees = false")) * 1e3
    assert abs(tokens - 700 * 300 / 750) < 1


def test_a_batch_holds_the_picture_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    scan = io.BytesIO()
    drawn([(60, 60, "[row:1] My card")], (700, 300)).save(scan, "TIFF", save_all=True, append_images=[poor()])
    (tmp_path / "in" / "two.tiff").write_bytes(scan.getvalue())
    provider = BatchProvider()
    tier = f"openai:m@{provider.url}"
    price = 'price = {input = "2", output = "10", batch_discount = "0.5"}'
    (tmp_path / "c.toml").write_text(f'[tier."{tier}"]\nsees = true\nbatch = true\nbatch_poll_s = 0.05\n{price}\n')
    arguments = ["classify", tmp_path / "in", "--labels", ",".join(LABELS), "-o", tmp_path / "out", "--model", tier]
    try:
        ran = slmbatch(*arguments, "--config", tmp_path / "c.toml")
    finally:
        provider.close()
    assert ran.code == 0, ran.err
    (held,) = provider.batches.values()
    (body,) = held.requests.values()
    assert [part["type"] for part in body["messages"][-1]["content"]] == ["image_url", "text"]
    assert results(tmp_path / "out")[0]["label"] == right_label(1)


@pytest.mark.parametrize(
    ("tier", "said", "sees"),
    [
        ("openai:gpt-4.1-mini", None, True),
        ("openai:gpt-3.5-turbo", None, False),
        ("anthropic:claude-haiku-4-5", None, True),
        ("anthropic:claude-haiku-4-5", False, False),
        ("openai:m@http://gpu-host/v1", None, False),
        ("openai:m@http://gpu-host/v1", True, True),
        ("vllm:m", True, True),
        ("vllm:m", None, False),
        ("rules", None, False),
        ("llamacpp:smollm2-135m", None, False),
    ],
)
def test_a_tier_sees_if_its_model_is_known_to_or_its_table_says_so(tier: str, said: bool | None, sees: bool) -> None:
    assert TierPlan(parse_spec(tier), EngineSettings(sees=said), Price()).sees is sees


@pytest.mark.parametrize(("wanted", "kept"), [(False, 0), (True, 1)])
def test_a_picture_is_kept_only_where_some_tier_sees(tmp_path: Path, *, wanted: bool, kept: int) -> None:
    (tmp_path / "poor.png").write_bytes(saved(poor()))
    source = find([str(tmp_path)]).sources[0]
    (document,) = read_file(source, ReadOptions(pictures=wanted))
    assert sum(page.picture is not None for page in document.pages) == kept
    assert document.pages[0].note


PICTURE = Picture(b"\xff\xd8jpeg", 750, 1000)


def test_a_picture_stands_before_the_text_in_each_dialect() -> None:
    message = Message("user", "text", (PICTURE,))
    url, text = chat_content(message)
    assert url == {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PICTURE.base64}"}}
    assert text == {"type": "text", "text": "text"}
    image, text = messages_content(message)
    assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PICTURE.base64}}
    assert text == {"type": "text", "text": "text"}
    assert chat_content(Message("user", "text")) == messages_content(Message("user", "text")) == "text"


@pytest.mark.parametrize("content", [chat_content, messages_content])
def test_a_picture_is_weighed_by_tokens_and_a_text_that_looks_like_one_by_bytes(content: Any) -> None:
    large = Picture(b"x" * 90_000, 1000, 1500)
    body = msgspec.json.encode({"content": content(Message("user", "hello", (large, large)))})
    told, count = weigh(body)
    assert count == 2
    assert told < 250
    looks = msgspec.json.encode({"content": f"{content(Message('user', '', (large,)))!r} {body.decode()}"})
    assert weigh(looks) == (len(looks), 0)
    price = Price((Rates(Decimal(1), Decimal(4)),))
    assert worst_case(price, body, 10) == Decimal(told + 2 * MOST_TOKENS + 40) / 1_000_000


def pages(count: int, poor: Sequence[int]) -> Document:
    made = tuple(Page(n, f"page {n}", picture=PICTURE if n in poor else None) for n in range(1, count + 1))
    return Document("d", "d.pdf", None, made)


def numbers(shown: Sequence[Page]) -> list[int]:
    return [page.number for page in shown]


def test_pages_shown_are_those_of_the_piece_and_fit_into_half_the_room() -> None:
    document = pages(9, poor=range(2, 10))
    assert numbers(shown_pages(document, None, None)) == [2, 3, 4, 5]
    assert len(shown_pages(document, None, None)) == MOST_PAGES
    assert numbers(shown_pages(document, None, 4001)) == [2, 3]  # a thousand tokens each
    assert picture_tokens(shown_pages(document, None, 4001)) == 2000
    assert shown_pages(document, None, 1999) == []
    start = document.text.index("page 7")
    assert numbers(shown_pages(document, [Piece(start, start + 12, part=True)], None)) == [7, 8]


def test_of_passages_the_pages_are_shown_that_they_stand_on() -> None:
    document = pages(9, poor=range(1, 10))
    shown = f"page 2\n{GAP}\n{document.text[document.text.index('page 8') :]}"
    assert numbers(shown_pages(document, passages_of(document.text, shown), None)) == [2, 8, 9]


def test_without_pictures_a_request_and_a_document_stay_what_they_are() -> None:
    document = pages(2, poor=[])
    request = Request((Message("user", "text"),), shape=None, max_tokens=1, top_logprobs=0)  # type: ignore[arg-type]
    assert with_pictures(request, []) is request
    assert as_seen(document, set()) is document
    assert MOST_TOKENS > 2833 + 8 * 5667
