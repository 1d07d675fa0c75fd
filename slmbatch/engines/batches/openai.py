"""OpenAI's batches: a file of requests goes up, a batch is made of it, files of replies and of errors come back.

The format is that of the API reference, "Batch" and "Files". Servers that copy it differ in their limits only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec

from slmbatch.engines.batches.endpoint import EARLIER_S, BatchItem, BatchLimits, BatchState, Caller, Items

PATH = "/v1/chat/completions"
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
PAGE = 100


class _Entry(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw
    method: str = "POST"
    url: str = PATH


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _Result(msgspec.Struct):
    custom_id: str
    response: _Response | None = None


class _Problem(msgspec.Struct):
    message: str | None = None
    code: str | None = None


class _Problems(msgspec.Struct):
    data: list[_Problem] | None = None


class _Batch(msgspec.Struct):
    id: str
    status: str
    created_at: float = 0
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Problems | None = None
    metadata: dict[str, str] | None = None


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


class _File(msgspec.Struct):
    id: str


_RESULT = msgspec.json.Decoder(_Result)


class OpenAIBatches:
    """Batches of chat completions. Half a file's limit in bytes is used, as the provider rewrites it."""

    limits = BatchLimits(requests=50_000, size=100_000_000)
    named = True

    def entry(self, id: str, body: bytes) -> bytes:  # noqa: A002
        return msgspec.json.encode(_Entry(id, msgspec.Raw(body)))

    async def submit(self, caller: Caller, name: str, entries: Sequence[bytes]) -> str:
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        data = b"\n".join(entries) + b"\n"
        form.add_field("file", data, filename=f"slmbatch-{name}.jsonl", content_type="application/jsonl")
        uploaded = msgspec.json.decode(await caller.call("POST", "/files", form), type=_File)
        fields = {"input_file_id": uploaded.id, "endpoint": PATH, "completion_window": "24h"}
        made = await _json(caller, "POST", "/batches", fields | {"metadata": {"slmbatch": name}})
        return msgspec.json.decode(made, type=_Batch).id

    async def find(self, caller: Caller, name: str, count: int, since: float) -> str | None:  # noqa: ARG002
        after = ""
        while True:
            listed = await caller.call("GET", f"/batches?limit={PAGE}{after}")
            page = msgspec.json.decode(listed, type=_Page)
            for batch in page.data:
                if (batch.metadata or {}).get("slmbatch") == name:
                    return batch.id
                if batch.created_at < since - EARLIER_S:  # they come newest first
                    return None
            if not page.has_more or not page.data:
                return None
            after = f"&after={page.data[-1].id}"

    async def state(self, caller: Caller, id: str) -> BatchState:  # noqa: A002
        batch = await _get(caller, id)
        problems = (batch.errors.data if batch.errors else None) or []
        refused = "; ".join(one.message or one.code or "" for one in problems) or "no reason given"
        return BatchState(
            ended=batch.status in ENDED,
            complete=batch.status == "completed",
            refused=refused if batch.status == "failed" else None,
            crowded=any(one.code == "token_limit_exceeded" for one in problems),
        )

    async def results(self, caller: Caller, id: str) -> Items:  # noqa: A002
        batch = await _get(caller, id)
        for file in (batch.output_file_id, batch.error_file_id):
            if file is not None:
                for line in (await caller.call("GET", f"/files/{file}/content")).splitlines():
                    if line.strip():
                        yield _item(_RESULT.decode(line))

    async def cancel(self, caller: Caller, id: str) -> None:  # noqa: A002
        await caller.call("POST", f"/batches/{id}/cancel")

    async def forget(self, caller: Caller, id: str) -> None:  # noqa: A002
        batch = await _get(caller, id)
        for file in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
            if file is not None:
                await caller.call("DELETE", f"/files/{file}")


def _item(result: _Result) -> BatchItem:
    if result.response is None:  # expired, or cancelled
        return BatchItem(result.custom_id, None)
    return BatchItem(result.custom_id, result.response.status_code, bytes(result.response.body))


async def _get(caller: Caller, id: str) -> _Batch:  # noqa: A002
    return msgspec.json.decode(await caller.call("GET", f"/batches/{id}"), type=_Batch)


async def _json(caller: Caller, method: str, path: str, fields: dict[str, Any]) -> bytes:
    return await caller.call(method, path, msgspec.json.encode(fields))
