"""What a run would have to do: everything read, nothing asked."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from slmbatch.readers import read
from slmbatch.run.plan import Plan
from slmbatch.run.seeing import picture_tokens, shown_pages
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import KEY_BYTES, KeyIndex, settled_keys
from slmbatch.types import Document

SALT = b"slmbatch pilot"


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to do.

    `contents` are distinct readable texts, `left` those without a result yet, `characters` the length of these in all,
    `picture_tokens` about what tiers that see are shown of them besides, `with_xml` how many carry an e-invoice.
    `sample` are the keys of as many contents as were asked for, drawn at random: the same ones each time, a smaller
    sample being part of a larger one; `sample_left` of them have no result yet.
    """

    documents: int
    unreadable: int
    contents: int
    left: int
    characters: int
    picture_tokens: int
    with_xml: int
    sample: frozenset[bytes]
    sample_left: int


def survey(plan: Plan, folder: RunFolder, *, sample: int = 0) -> Survey:
    """Read everything once."""
    done = KeyIndex.gathered(settled_keys(folder.parts, without_failed=plan.choices.retry_failed))
    seen = KeyIndex()
    drawn: list[tuple[int, bytes]] = []  # a heap of the lowest hashes, negated: its top is the first to go
    documents = unreadable = contents = left = characters = pictured = with_xml = 0
    for batch in read(plan.found, plan.reading):
        documents += len(batch)
        unreadable += sum(document.problem is not None for document in batch)
        fresh = list(_fresh(batch, seen))
        settled = done.contains([key for _, key in fresh]) if fresh else []
        for (document, key), is_settled in zip(fresh, settled, strict=True):
            contents += 1
            left += not is_settled
            characters += 0 if is_settled else len(document.text)
            pictured += 0 if is_settled else picture_tokens(shown_pages(document, None, None))
            with_xml += not is_settled and document.xml is not None
            heapq.heappush(drawn, (-_lot(key), key))
            if len(drawn) > sample:
                heapq.heappop(drawn)
    keys = [key for _, key in drawn]
    return Survey(
        documents,
        unreadable,
        contents,
        left,
        characters,
        pictured,
        with_xml,
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
