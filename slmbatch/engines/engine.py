"""The seam between the run and whatever answers."""

from __future__ import annotations

from typing import Protocol

from slmbatch.chat import Capabilities, Completion, Request

MAX_TOKEN_BYTES = 64  # longer vocabulary entries are runs of blanks


class Engine(Protocol):
    """Something that answers requests. Start it once, ask it often, close it once."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def concurrency(self) -> int: ...

    async def start(self) -> None:
        """Be ready to answer. Raises EngineError or ModelError when that can't be."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Raises RequestError for this request, EngineError when the engine is dead for good."""

    async def count(self, text: str) -> int | None:
        """Return the number of tokens of `text`, or None where the engine has no tokenizer."""

    async def cut(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` of at most `tokens` tokens; `text` itself where that is unknown."""

    async def close(self) -> None: ...
