"""How a tier's requests are paid: one by one, or in batches with the rest one by one."""

from __future__ import annotations

from slmbatch.engines.batches import endpoint_of
from slmbatch.engines.wire import HttpWire, Wire
from slmbatch.run.batch_courier import BatchCourier, Patience
from slmbatch.run.batch_payer import BatchPayer, Gathering
from slmbatch.run.metered_wire import MeteredWire, OnlinePayer
from slmbatch.run.plan import TierPlan
from slmbatch.run.purse import Purse

HOUR_S = 3600.0
ONLINE = 32  # requests at a time of what batches left


def metered(wire: HttpWire, *, purse: Purse, tier: TierPlan, occasion: str = "") -> Wire:
    """Put the ledger before the wire of a tier, and its batch endpoint where it's asked through one.

    `occasion` is that of the MeteredWire.
    """
    online = OnlinePayer(wire, purse, tier=tier.name, price=tier.price)
    endpoint = endpoint_of(tier.spec)
    if tier.batch_price is None or endpoint is None:
        return MeteredWire(wire, purse, online, occasion)
    limits = tier.settings
    wait_s = None if limits.batch_wait_h is None else limits.batch_wait_h * HOUR_S
    courier = BatchCourier(
        wire,
        purse,
        endpoint,
        tier=tier.name,
        price=tier.batch_price,
        patience=Patience(limits.batch_poll_s, wait_s, lost_s=2 * limits.batch_poll_s),
    )
    payer = BatchPayer(
        purse,
        tier=tier.name,
        price=tier.batch_price,
        gathering=Gathering(endpoint.limits.size, limits.batch_rows, limits.batch_poll_s) if tier.batched else None,
        courier=courier,
        online=online,
        places=limits.concurrency or ONLINE,
    )
    return MeteredWire(wire, purse, payer, occasion)
