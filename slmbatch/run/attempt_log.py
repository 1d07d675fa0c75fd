"""What tiers have said of a document, on disk before a paid one is asked about it.

Which fields that one is asked for follows from their attempts, and a language model may not say the same again. So a
killed run goes on from what is kept here: then it asks word for word what it asked before, and the ledger answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from hashlib import blake2b
from itertools import takewhile

from slmbatch import __version__
from slmbatch.engines.loaders import HEADS
from slmbatch.engines.settings import TRIAGE
from slmbatch.errors import OverBudget
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.run.purse import Purse
from slmbatch.run.rung import Rung
from slmbatch.store.attempts import pack, unpack
from slmbatch.store.entries import Tried
from slmbatch.types import Attempt, Document

KEY_BYTES = 16


class AttemptLog:
    """The attempts of one pass, by content. Other settings, tiers or versions of slmbatch find none of them."""

    def __init__(self, purse: Purse, plan: Plan, tiers: Sequence[TierPlan]) -> None:
        self._purse = purse
        self._wavering = {tier.name for tier in tiers if tier.spec.engine not in HEADS | {TRIAGE}}
        self._used = any(tier.metered for tier in tiers[1:])
        asked = json.dumps([__version__, plan.settings(), [tier.name for tier in tiers]])
        self._pass = blake2b(asked.encode(), digest_size=KEY_BYTES).digest()
        self._retry_failed = plan.choices.retry_failed

    def about(self, type_: str) -> AttemptLog:
        """Return the log of what is asked of documents of one type: another question, whose answers stand apart."""
        log = copy(self)
        log._pass = blake2b(self._pass + type_.encode(), digest_size=KEY_BYTES).digest()
        return log

    def recall(self, key: bytes) -> tuple[Attempt, ...]:
        """Return what an earlier session was told of a content, up to the first tier that is to be asked again."""
        found = self._purse.tried(self._key(key)) if self._used else None
        return () if found is None else tuple(takewhile(self._stands, unpack(found)))

    async def keep(self, key: bytes, attempts: Sequence[Attempt]) -> None:
        """Write down all attempts so far; they're on disk when this returns. Heads say the same again without that."""
        if any(one.tier in self._wavering for one in attempts):
            await self._purse.note(Tried(self._key(key), pack(attempts)))

    def _stands(self, attempt: Attempt) -> bool:
        failed = attempt.error_kind is not None if self._retry_failed else attempt.error_kind == OverBudget.kind
        return not failed

    def _key(self, key: bytes) -> bytes:
        return blake2b(self._pass + key, digest_size=KEY_BYTES).digest()


class Trail:
    """The attempts at one document, from where a killed session has left them."""

    def __init__(self, log: AttemptLog, key: bytes) -> None:
        self.attempts: list[Attempt] = []
        self._log = log
        self._key = key
        self._told = {one.tier: one for one in log.recall(key)}
        self._kept = len(self._told)

    async def ask(self, tier: Rung, document: Document, before: Attempt | None = None) -> Attempt | None:
        """Let a tier try, unless it has; what was said so far is on disk before a paid one is asked."""
        attempt = self._told.get(tier.plan.name)
        if attempt is None:
            if tier.plan.metered:
                await self.keep()
            attempt = await tier.attempt(document, before)
        if attempt is not None:
            self.attempts.append(attempt)
        return attempt

    async def keep(self) -> None:
        """Write down what isn't yet."""
        if len(self.attempts) > self._kept:
            await self._log.keep(self._key, self.attempts)
            self._kept = len(self.attempts)
