"""What batch endpoints of providers have in common: many requests go up at once, and are answered within a day.

Nothing here knows of money or of rows: requests have ids, and so have batches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import aiohttp


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one batch may hold: requests, and bytes of all of them."""

    requests: int
    size: int


@dataclass(frozen=True, slots=True)
class BatchState:
    """How a batch stands. `complete`: it ended by itself, so that every request has a result.

    `refused`: why the provider took none of it; `crowded` that it has too much in its queue at present.
    """

    ended: bool
    complete: bool = False
    refused: str | None = None
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class BatchItem:
    """The result of one request: the HTTP status and body it would have had. No status: it was never carried out."""

    id: str
    status: int | None
    content: bytes = b""


class Caller(Protocol):
    """Sends something else than a question to the server of a tier, with its key."""

    async def call(self, method: str, path: str, data: bytes | aiohttp.FormData | None = None) -> bytes:
        """Return the body of a 200. Raises RequestError for anything else."""


class BatchEndpoint(Protocol):
    """One provider's batches. Errors are those of Caller.call."""

    limits: BatchLimits
    named: bool  # whether `find` is sure of what it finds

    def entry(self, id: str, body: bytes) -> bytes:  # noqa: A002
        """Write a request as it stands in a batch."""

    async def submit(self, caller: Caller, name: str, entries: Sequence[bytes]) -> str:
        """Send a batch under this name; returns the provider's id."""

    async def find(self, caller: Caller, name: str, count: int, since: float) -> str | None:
        """Return the id of the batch of this name, if the provider has one. What it sent first is `since` (Unix time).

        Where names can't be looked up it may be any batch of this many requests that hasn't ended: the ids in its
        results tell whether it is the right one.
        """

    async def state(self, caller: Caller, id: str) -> BatchState: ...  # noqa: A002

    def results(self, caller: Caller, id: str) -> AsyncIterator[BatchItem]:  # noqa: A002
        """Yield what an ended batch came to, in any order."""

    async def cancel(self, caller: Caller, id: str) -> None: ...  # noqa: A002

    async def forget(self, caller: Caller, id: str) -> None:  # noqa: A002
        """Delete what the provider keeps of an ended batch."""


Items: TypeAlias = AsyncIterator[BatchItem]
EARLIER_S = 3600.0  # clocks differ: a batch may seem to be older than the moment it was sent at
