"""What a paid tier would be sent about documents if it was asked for everything: just as in a run, but of nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slmbatch.chat import NO_USAGE, Capabilities, Completion, Request
from slmbatch.engines.capabilities import abilities, model_of
from slmbatch.run.answers import Task
from slmbatch.run.asking import Asker
from slmbatch.run.clock import BusyClock
from slmbatch.run.plan import TierPlan
from slmbatch.types import Document


@dataclass(slots=True)
class Volume:
    """How many requests, and what they show of documents in all; pictures of pages in tokens, about."""

    requests: int = 0
    characters: int = 0
    picture_tokens: int = 0


class Rehearsal:
    """Counts one tier's requests.

    `least` is what they are where selected passages of a long text always suffice, `most` where they never do and all
    pieces are asked about besides.
    """

    def __init__(self, tier: TierPlan, task: Task) -> None:
        self.least, self.most = Volume(), Volume()
        self._name = tier.name
        self._asker = Asker(_Nobody(abilities(model_of(tier.spec, tier.settings))), task, BusyClock())

    async def start(self) -> None:
        """Find out how much room there is for a text. Raises ConfigError where there's none."""
        await self._asker.measure(self._name)

    async def ask(self, documents: Iterable[Document]) -> None:
        """Count what would be asked about these."""
        for document in documents:
            sent = await self._asker.ask(document, None, lambda _: False)
            for volume, shown in ((self.most, sent), (self.least, sent if sent[0].piece else sent[:1])):
                volume.requests += len(shown)
                volume.characters += sum(len(one.shown) for one in shown)
                volume.picture_tokens += sum(one.seen_tokens for one in shown)


class _Nobody:
    """A remote engine that answers nothing."""

    concurrency = 1

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities

    async def start(self) -> None: ...

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002
        return Completion("", None, NO_USAGE)

    async def count(self, text: str) -> int | None:  # noqa: ARG002
        return None

    async def cut(self, text: str, tokens: int) -> str:  # noqa: ARG002
        return text

    async def close(self) -> None: ...
