"""What is written into the ledger, and read from it. Amounts are whole numbers of 1e-12 USD."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from slmbatch.chat import NO_USAGE, Usage


class State(StrEnum):
    """Where a paid request stands. In doubt: sent, and whether it was billed isn't known; counted at its worst case."""

    RESERVED = "reserved"
    SETTLED = "settled"
    IN_DOUBT = "in_doubt"
    NOT_BILLED = "not_billed"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request that is about to be sent; `worst` is the most it can cost. `id` is new.

    `batched`: in a batch that isn't sent yet. `here`: made by this run, not by another one in the folder.
    """

    id: int
    key: bytes
    tier: str
    worst: int
    batched: bool = False
    here: bool = True


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the reserved request `id` ended. `reply` are the bytes of a usable reply."""

    id: int
    state: State
    spent: int = 0
    usage: Usage = NO_USAGE
    reply: bytes | None = None


@dataclass(frozen=True, slots=True)
class BatchSent:
    """A batch that is about to be sent, with the ids of the requests that it holds."""

    name: str
    tier: str
    ids: tuple[int, ...]
    sent_at: float


@dataclass(frozen=True, slots=True)
class BatchNamed:
    """The provider's id of a batch."""

    name: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class BatchClosed:
    """All requests of a batch are settled."""

    name: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What tiers have said so far of the content with this key, as bytes."""

    key: bytes
    attempts: bytes


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that an earlier session sent, or was about to, and the requests that aren't settled."""

    name: str
    provider_id: str | None
    sent_at: float
    reservations: tuple[Reservation, ...]


@dataclass(frozen=True, slots=True)
class Paid:
    """An earlier answer to a request; `here` if it was paid for in the present run."""

    reply: bytes
    spent: int
    here: bool


@dataclass(frozen=True, slots=True)
class TierTotal:
    """What one tier's requests of a run come to."""

    tier: str
    requests: int
    requests_in_doubt: int
    billed: int
    in_doubt: int
    usage: Usage


Entry: TypeAlias = Reservation | Settlement | BatchSent | BatchNamed | BatchClosed | Tried
