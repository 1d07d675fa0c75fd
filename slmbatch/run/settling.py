"""What became of a paid request, as the ledger has it: billed, in doubt, or not billed."""

from __future__ import annotations

from decimal import Decimal

from slmbatch.chat import Usage
from slmbatch.engines.dialects.pictures import MOST_TOKENS, weigh
from slmbatch.errors import ConnectionLost, MalformedReply, Refused, RequestError, TimedOut, Unreachable
from slmbatch.money.prices import Price, to_pico
from slmbatch.store.entries import Reservation, Settlement, State

UNKNOWN = (TimedOut, ConnectionLost)  # sent, perhaps read, perhaps billed
GATEWAY_TIMEOUTS = frozenset({408, 504})  # something before the model gave up waiting for it


def worst_case(price: Price, body: bytes, max_tokens: int) -> Decimal:
    """Return the most USD that a request can cost: a token is at least one byte of its body, but for pictures."""
    told, pictures = weigh(body)
    return price.worst(input_tokens=told + pictures * MOST_TOKENS, output_tokens=max_tokens)


def billed(reservation: Reservation, price: Price, usage: Usage, reply: bytes | None) -> Settlement:
    """Settle a reply at its price; one that doesn't tell its tokens is in doubt, at the most it can have cost."""
    if not usage.input_tokens:
        return Settlement(reservation.id, State.IN_DOUBT, reservation.worst, reply=reply)
    return Settlement(reservation.id, State.SETTLED, to_pico(price.of_usage(usage)), usage, reply)


def failed(reservation: Reservation, price: Price, error: RequestError) -> Settlement:
    """Settle a request that ended with this error."""
    if isinstance(error, MalformedReply | Refused):
        return billed(reservation, price, error.billed, None)
    if error.status in GATEWAY_TIMEOUTS or (isinstance(error, UNKNOWN) and not isinstance(error, Unreachable)):
        return in_doubt(reservation)
    return not_billed(reservation)


def in_doubt(reservation: Reservation) -> Settlement:
    return Settlement(reservation.id, State.IN_DOUBT, reservation.worst)


def not_billed(reservation: Reservation) -> Settlement:
    return Settlement(reservation.id, State.NOT_BILLED)
