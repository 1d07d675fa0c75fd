"""Anthropic's message batches: requests go up in one body, results come back as lines of JSON.

The format is that of the API reference, "Message Batches". A batch carries no name of ours there: one whose id was lost
is looked for among those that hold as many requests, and known by the ids in its results.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from slmbatch.engines.batches.endpoint import EARLIER_S, BatchItem, BatchLimits, BatchState, Caller, Items

PATH = "/messages/batches"
STATUSES = {  # of an errored result, by the type of its error; those of "Errors" in the API reference
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
PAGE = 100


class _Entry(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


class _Reason(msgspec.Struct):
    type: str = ""


class _Error(msgspec.Struct):
    error: _Reason = msgspec.field(default_factory=_Reason)


class _Outcome(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw(b"{}")
    error: msgspec.Raw = msgspec.Raw(b"{}")


class _Result(msgspec.Struct):
    custom_id: str
    result: _Outcome


class _Batch(msgspec.Struct):
    id: str
    processing_status: str
    created_at: dt.datetime
    request_counts: dict[str, int]


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


_RESULT = msgspec.json.Decoder(_Result)


class AnthropicBatches:
    """Batches of messages."""

    limits = BatchLimits(requests=100_000, size=200_000_000)
    named = False

    def entry(self, id: str, body: bytes) -> bytes:  # noqa: A002
        return msgspec.json.encode(_Entry(id, msgspec.Raw(body)))

    async def submit(self, caller: Caller, name: str, entries: Sequence[bytes]) -> str:  # noqa: ARG002
        made = await caller.call("POST", PATH, b'{"requests":[' + b",".join(entries) + b"]}")
        return msgspec.json.decode(made, type=_Batch).id

    async def find(self, caller: Caller, name: str, count: int, since: float) -> str | None:
        after = ""
        while True:
            page = msgspec.json.decode(await caller.call("GET", f"{PATH}?limit={PAGE}{after}"), type=_Page)
            for batch in page.data:
                if batch.created_at.timestamp() < since - EARLIER_S:  # they come newest first
                    return None
                if sum(batch.request_counts.values()) == count and await self._ours(caller, batch, name):
                    return batch.id
            if not page.has_more or not page.data:
                return None
            after = f"&after_id={page.data[-1].id}"

    async def _ours(self, caller: Caller, batch: _Batch, name: str) -> bool:
        """Whether it may be the batch of this name: one that hasn't ended can't be told apart yet."""
        if batch.processing_status != "ended":
            return True
        async for item in self.results(caller, batch.id):
            return item.id.startswith(f"{name}-")
        return False

    async def state(self, caller: Caller, id: str) -> BatchState:  # noqa: A002
        batch = msgspec.json.decode(await caller.call("GET", f"{PATH}/{id}"), type=_Batch)
        ended = batch.processing_status == "ended"
        return BatchState(ended=ended, complete=ended)

    async def results(self, caller: Caller, id: str) -> Items:  # noqa: A002
        for line in (await caller.call("GET", f"{PATH}/{id}/results")).splitlines():
            if line.strip():
                yield _item(_RESULT.decode(line))

    async def cancel(self, caller: Caller, id: str) -> None:  # noqa: A002
        await caller.call("POST", f"{PATH}/{id}/cancel")

    async def forget(self, caller: Caller, id: str) -> None:  # noqa: A002
        await caller.call("DELETE", f"{PATH}/{id}")


def _item(result: _Result) -> BatchItem:
    outcome = result.result
    if outcome.type == "succeeded":
        return BatchItem(result.custom_id, 200, bytes(outcome.message))
    if outcome.type == "errored":
        reason = msgspec.json.decode(outcome.error, type=_Error).error
        return BatchItem(result.custom_id, STATUSES.get(reason.type, 500), bytes(outcome.error))
    return BatchItem(result.custom_id, None)  # expired, or canceled
