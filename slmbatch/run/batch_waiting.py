"""A request that waits in a batch, and what it can be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

import msgspec

from slmbatch.engines.wire import Reply
from slmbatch.errors import EngineError, RequestError, SlmbatchError
from slmbatch.store.entries import Reservation

log = logging.getLogger("slmbatch")


class Undone(Enum):
    """Why a request has no answer: the batch didn't get to it, or the provider had no room for the batch."""

    LEFT = "left"
    CROWDED = "crowded"


Outcome: TypeAlias = Reply | SlmbatchError | Undone


@dataclass(eq=False, slots=True)
class Waiting:
    """A request in a batch, its body until it's sent, and the future of its outcome."""

    reservation: Reservation
    body: bytes = b""
    answer: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, outcome: Outcome) -> None:
        if not self.answer.done():
            self.answer.set_result(outcome)


@asynccontextmanager
async def told(waiting: Sequence[Waiting], tier: str) -> AsyncIterator[None]:
    """Tell every request of a batch how it ended, also when that is that the batch can't be carried."""
    outcome: Outcome = Undone.LEFT
    try:
        yield
    except (RequestError, msgspec.MsgspecError) as error:
        reason = error.message if isinstance(error, RequestError) else f"an answer that isn't one: {error}"
        remedy = "Check the key and the service. Batches that were sent are fetched by the same command."
        outcome = EngineError(f"{tier}: the batch endpoint can't be used: {reason}", remedy)
    except SlmbatchError as error:
        outcome = error
    except Exception as error:  # the rim: else a bug of ours would leave rows waiting for ever
        log.exception("internal error", extra={"facts": {"tier": tier}})
        outcome = EngineError(f"{tier}: internal: {type(error).__name__}: {error}")
    for one in waiting:
        one.tell(outcome)
