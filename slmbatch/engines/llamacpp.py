"""The embedded engine: llama.cpp's own server (through xllamacpp) in a supervised child process on loopback."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from slmbatch.chat import Capabilities, Completion, Request
from slmbatch.engines.child import Configuration, Launch
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import LLAMACPP
from slmbatch.engines.engine import MAX_TOKEN_BYTES
from slmbatch.engines.settings import EngineSettings
from slmbatch.engines.supervised import Supervised
from slmbatch.engines.wire import HttpWire, ask

SLOTS, CONTEXT_TOKENS, TIMEOUT_S = 4, 8192, 600.0


class LlamaCppEngine:
    """One GGUF file, served here. A request waits for one of `slots`; `context_tokens` is per slot."""

    def __init__(self, model: Path, settings: EngineSettings, *, log: Path) -> None:
        slots = settings.slots or SLOTS
        context = settings.context_tokens or CONTEXT_TOKENS
        self._key = secrets.token_urlsafe(16)
        self._policy = RetryPolicy(settings.attempts, settings.retry_s, connections=False)
        self._timeout_s = settings.timeout_s or TIMEOUT_S
        self._model = model
        self._url = ""
        self.concurrency = settings.concurrency or slots + 2  # a slot that gets free finds its next request waiting
        self.capabilities = Capabilities(
            choice=True,
            top_logprobs=LLAMACPP.top_logprobs if settings.top_logprobs is None else settings.top_logprobs,
            raw_logprobs=True,
            context_tokens=context,
        )
        configuration: Configuration = {
            "model": str(model),
            "slots": slots,
            "context_tokens": context,
            "threads": settings.threads
            or max(1, (os.cpu_count() or 1) - 1),  # its threads spin: a shared core stalls all
            "key": self._key,
        }
        launch = Launch(f"llama.cpp ({model.name})", "slmbatch.engines.llamacpp_server", configuration, log)
        self._server = Supervised(launch, self._connect)

    async def _connect(self, address: Mapping[str, str]) -> ChatClient:
        self._url = address["url"]
        wire = HttpWire(
            f"{self._url}/v1",
            dialect=LLAMACPP,
            key=self._key,
            timeout_s=self._timeout_s,
            connections=self.concurrency,
        )
        return ChatClient(wire, model=self._model.stem, dialect=LLAMACPP, policy=self._policy)

    async def start(self) -> None:
        await self._server.start()

    async def complete(self, request: Request) -> Completion:
        return await self._server.complete(request)

    async def count(self, text: str) -> int | None:
        return len(await self._server.outlive(lambda _: self._pieces(text)))

    async def cut(self, text: str, tokens: int) -> str:
        """Cut at a token border, with the server's own tokenizer."""
        if len(text.encode()) <= tokens:  # a token is at least one byte
            return text
        # No token is longer than MAX_TOKEN_BYTES, so what lies beyond can't be reached.
        reachable = text[: tokens * MAX_TOKEN_BYTES]
        pieces = await self._server.outlive(lambda _: self._pieces(reachable))
        if len(pieces) <= tokens and len(text) == len(reachable):
            return text
        return b"".join(pieces[:tokens]).decode("utf-8", "ignore")

    async def _pieces(self, text: str) -> list[bytes]:
        """Tokenize: the bytes of each token. A piece that isn't UTF-8 by itself comes as a list of bytes."""
        body = {"content": text, "add_special": False, "with_pieces": True}
        told = await ask(f"{self._url}/tokenize", headers={"Authorization": f"Bearer {self._key}"}, body=body)
        pieces = [entry["piece"] for entry in told["tokens"]]
        return [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces]

    async def close(self) -> None:
        await self._server.close()
