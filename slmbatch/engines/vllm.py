"""vLLM: `vllm serve` in a supervised child process on loopback, or a vLLM server that is running already.

What it has in common with other servers is elsewhere; here are its arguments, and what it tells of itself. Logprobs
are taken after the grammar's mask (vLLM 0.32 masks the logits before its sampler, whatever `--logprobs-mode` says), so
they say which of the allowed replies is likely, never that another was wanted: `raw_logprobs` is false.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from slmbatch.chat import Capabilities, Completion, Request
from slmbatch.engines.child import Launch
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import VLLM
from slmbatch.engines.engine import MAX_TOKEN_BYTES
from slmbatch.engines.remote import RemoteEngine, key_of
from slmbatch.engines.settings import EngineSettings, EngineSpec, find_vllm
from slmbatch.engines.supervised import Supervised
from slmbatch.engines.wire import HttpWire, ask
from slmbatch.errors import ConfigError, EngineError, RequestError

KEY = "VLLM_API_KEY"
CONCURRENCY, TIMEOUT_S = 256, 600.0  # vLLM's own default of sequences at a time; a request may wait for its turn
TOP_LOGPROBS = 20  # vLLM's default limit; each costs the server time
NOTICE_S = 20.0  # its front closes connections before it ends
CUTS = 8  # looks at a text that is too long


@dataclass(frozen=True, slots=True)
class Served:
    """A running vLLM server: where, the headers that let us in, the model's name there, and its context."""

    url: str
    headers: Mapping[str, str]
    name: str
    context_tokens: int | None

    async def count(self, text: str) -> int:
        body = {"model": self.name, "prompt": text, "add_special_tokens": False}
        return int((await ask(f"{self.url}/tokenize", headers=self.headers, body=body))["count"])


async def look(url: str, headers: Mapping[str, str], model: str | None) -> Served:
    """Read what a server serves. Raises EngineError when `model` (any, if None) isn't there, or the server."""
    try:
        entries = (await ask(f"{url}/v1/models", headers=headers))["data"]
    except RequestError as error:
        raise EngineError(f"vLLM at {url} doesn't say what it serves: {error.message}", "Is it up?") from error
    for entry in entries:
        if model in {None, entry["id"], entry.get("root")}:
            return Served(url, headers, entry["id"], entry.get("max_model_len"))
    served = ", ".join(entry["id"] for entry in entries)
    raise EngineError(f"vLLM at {url} doesn't serve {model}.", f"It serves: {served}.")


def _capabilities(settings: EngineSettings, context_tokens: int | None) -> Capabilities:
    top = TOP_LOGPROBS if settings.top_logprobs is None else settings.top_logprobs
    sees = bool(settings.sees)
    return Capabilities(choice=True, top_logprobs=top, raw_logprobs=False, context_tokens=context_tokens, sees=sees)


class VllmEngine:
    """One model, served here by as many copies as `data_parallel` says."""

    def __init__(self, spec: EngineSpec, settings: EngineSettings, *, log: Path, download: bool) -> None:
        self._settings = settings
        self._key = secrets.token_urlsafe(16)
        self._served: Served | None = None
        self.concurrency = settings.concurrency or (settings.slots or CONCURRENCY) * (settings.data_parallel or 1)
        self.capabilities = _capabilities(settings, settings.context_tokens)
        environment = {KEY: self._key, "VLLM_NO_USAGE_STATS": "1"}  # nothing leaves this machine unasked
        if settings.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, settings.gpus))
        if not download:
            environment["HF_HUB_OFFLINE"] = "1"
        command = [*_command(spec, settings), *arguments(spec, settings, self.capabilities.top_logprobs)]
        launch = Launch(
            f"vLLM ({Path(spec.model).name})",
            "slmbatch.engines.vllm_server",
            {"command": command, "environment": environment},
            log,
            notice_s=NOTICE_S,
        )
        self._server = Supervised(launch, self._connect)

    async def _connect(self, address: Mapping[str, str]) -> ChatClient:
        self._served = await look(address["url"], VLLM.headers(self._key), None)
        self.capabilities = replace(self.capabilities, context_tokens=self._served.context_tokens)
        wire = HttpWire(
            f"{self._served.url}/v1",
            dialect=VLLM,
            key=self._key,
            timeout_s=self._settings.timeout_s or TIMEOUT_S,
            connections=self.concurrency,
        )
        policy = RetryPolicy(self._settings.attempts, self._settings.retry_s, connections=False)
        return ChatClient(wire, model=self._served.name, dialect=VLLM, policy=policy)

    async def start(self) -> None:
        await self._server.start()

    async def complete(self, request: Request) -> Completion:
        return await self._server.complete(request)

    async def count(self, text: str) -> int:
        async def counted(_: ChatClient) -> int:
            assert self._served is not None, "start() comes first"
            return await self._served.count(text)

        return await self._server.outlive(counted)

    async def cut(self, text: str, tokens: int) -> str:
        return await beginning(text, tokens, self.count)

    async def close(self) -> None:
        await self._server.close()


class JoinedVllm:
    """One model of a vLLM server that somebody else has started."""

    def __init__(self, spec: EngineSpec, settings: EngineSettings) -> None:
        self._spec = spec
        self._settings = settings
        self._headers = VLLM.headers(key_of(spec, settings))
        self._served: Served | None = None
        self._remote: RemoteEngine | None = None
        self.concurrency = settings.concurrency or CONCURRENCY
        self.capabilities = _capabilities(settings, settings.context_tokens)

    async def start(self) -> None:
        url = (self._spec.url or "").removesuffix("/v1")
        self._served = await look(url, self._headers, self._spec.model)
        context = self._served.context_tokens
        self.capabilities = replace(self.capabilities, context_tokens=self._settings.context_tokens or context)
        settings = replace(
            self._settings,
            concurrency=self.concurrency,
            timeout_s=self._settings.timeout_s or TIMEOUT_S,
        )
        spec = EngineSpec(self._spec.engine, self._served.name, f"{url}/v1")
        self._remote = RemoteEngine(spec, settings)
        await self._remote.start()

    async def complete(self, request: Request) -> Completion:
        assert self._remote is not None, "start() comes first"
        return await self._remote.complete(request)

    async def count(self, text: str) -> int:
        assert self._served is not None, "start() comes first"
        return await self._served.count(text)

    async def cut(self, text: str, tokens: int) -> str:
        return await beginning(text, tokens, self.count)

    async def close(self) -> None:
        if self._remote is not None:
            await self._remote.close()


def _command(spec: EngineSpec, settings: EngineSettings) -> list[str]:
    command = find_vllm(settings.vllm_command)
    if command is None:
        remedy = "Install it (pip install 'slmbatch[vllm]'), or name it as vllm_command in the tier's table."
        raise ConfigError(f"{spec}: there is no program {(*settings.vllm_command, 'vllm')[0]!r}.", remedy)
    return command


def arguments(spec: EngineSpec, settings: EngineSettings, top_logprobs: int) -> list[str]:
    """Return the arguments of `vllm serve`. The user's come last and win."""
    chosen = {
        "--max-model-len": settings.context_tokens,
        "--max-num-seqs": settings.slots,
        "--data-parallel-size": settings.data_parallel,
        "--max-logprobs": max(top_logprobs, TOP_LOGPROBS),
    }
    return [
        "serve",
        spec.model,
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",  # so that cached tokens are counted
        "--disable-log-stats",  # a line per request would make the log grow with the rows
        "--uvicorn-log-level=warning",
        *(f"{name}={value}" for name, value in chosen.items() if value is not None),
        *settings.vllm_args,
    ]


async def beginning(text: str, tokens: int, count: Callable[[str], Awaitable[int]]) -> str:
    """Return a beginning of at most `tokens` tokens, close to the longest: vLLM counts tokens, and doesn't place them.

    Asks by interpolation between a length that fits and one that doesn't.
    """
    if len(text.encode()) <= tokens:  # a token is at least one byte
        return text
    text = text[: tokens * MAX_TOKEN_BYTES]
    fits, fitting, over, many = 0, 0, len(text), await count(text)
    if many <= tokens:
        return text
    for _ in range(CUTS):
        at = fits + max(1, (over - fits) * (tokens - fitting) // (many - fitting))
        counted = await count(text[:at])
        if counted <= tokens:
            fits, fitting = at, counted
        else:
            over, many = at, counted
        if fitting == tokens or over - fits <= 1:
            break
    return text[:fits]
