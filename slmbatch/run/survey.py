"""What a run would have to do: everything read, nothing asked."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from slmbatch.readers import read
from slmbatch.run.plan import Plan
from slmbatch.run.rehearsal import Rehearsal
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import KEY_BYTES, KeyIndex, settled_keys
from slmbatch.tasks.triage import TriageTask
from slmbatch.types import Document

SALT = b"slmbatch pilot"


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to do.

    `contents` are distinct readable texts, `left` those without a result yet, `with_xml` how many of these carry an
    e-invoice, `asking` what each tier that is paid by the token would be asked about them, by its name.
    `sample` are the keys of as many contents as were asked for, drawn at random: the same ones each time, a smaller
    sample being part of a larger one; `sample_left` of them have no result yet.
    """

    documents: int
    unreadable: int
    contents: int
    left: int
    with_xml: int
    asking: Mapping[str, Rehearsal]
    sample: frozenset[bytes]
    sample_left: int


def survey(plan: Plan, folder: RunFolder, *, sample: int = 0) -> Survey:
    """Read everything once."""
    with asyncio.Runner() as runner:
        return _surveyed(plan, folder, sample, runner)


def _surveyed(plan: Plan, folder: RunFolder, sample: int, runner: asyncio.Runner) -> Survey:
    task = plan.task.longest if isinstance(plan.task, TriageTask) else plan.task
    asking = {tier.name: Rehearsal(tier, task) for tier in plan.tiers if tier.price.paid}
    for one in asking.values():
        runner.run(one.start())
    done = KeyIndex.gathered(settled_keys(folder.parts, without_failed=plan.choices.retry_failed))
    seen = KeyIndex()
    drawn: list[tuple[int, bytes]] = []  # a heap of the lowest hashes, negated: its top is the first to go
    documents = unreadable = contents = left = with_xml = 0
    for batch in read(plan.found, plan.reading):
        documents += len(batch)
        unreadable += sum(document.problem is not None for document in batch)
        fresh = list(_fresh(batch, seen))
        settled = done.contains([key for _, key in fresh]) if fresh else []
        unsettled = [document for (document, _), is_settled in zip(fresh, settled, strict=True) if not is_settled]
        for one in asking.values():
            runner.run(one.ask(unsettled))
        contents += len(fresh)
        left += len(unsettled)
        with_xml += sum(document.xml is not None for document in unsettled)
        for _, key in fresh:
            heapq.heappush(drawn, (-_lot(key), key))
            if len(drawn) > sample:
                heapq.heappop(drawn)
    keys = [key for _, key in drawn]
    return Survey(
        documents,
        unreadable,
        contents,
        left,
        with_xml,
        asking,
        sample=frozenset(keys),
        sample_left=done.contains(keys).count(False) if keys else 0,
    )


def _fresh(batch: list[Document], seen: KeyIndex) -> Iterator[tuple[Document, bytes]]:
    """Yield what can be read and wasn't seen before."""
    keyed = {document.content_hash(): document for document in batch if document.problem is None}
    known = seen.contains(list(keyed)) if keyed else []
    fresh = [(document, key) for (key, document), was in zip(keyed.items(), known, strict=True) if not was]
    seen.add([key for _, key in fresh])
    yield from fresh


def _lot(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=KEY_BYTES, salt=SALT).digest(), "big")
