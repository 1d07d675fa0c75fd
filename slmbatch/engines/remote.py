"""Any server that is already running and speaks OpenAI chat completions or Anthropic messages, paid or not."""

from __future__ import annotations

import os
from dataclasses import replace

from slmbatch.chat import Completion, Request
from slmbatch.engines.capabilities import Model, abilities, model_of, provider_of
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import COMPATIBLE, VLLM, Dialect, MessagesDialect
from slmbatch.engines.limits import Limiter
from slmbatch.engines.settings import EngineSettings, EngineSpec
from slmbatch.engines.wire import HttpWire, Meter, on_loopback
from slmbatch.errors import (
    ConfigError,
    ConnectionLost,
    ContextTooLong,
    EngineError,
    Forbidden,
    Rejected,
    RequestError,
    TimedOut,
    Unavailable,
    Unreachable,
)

API = "/v1"  # below the addresses of the providers that are known by name
CONCURRENCY, TIMEOUT_S = 32, 120.0
REFUSALS = 3  # requests that used up their retries on connections, before the first answer ever
REJECTIONS = 10  # of the first requests that were answered at all
FAILURES = 50  # requests in a row that failed for good, whatever came before: going on would fail the whole run


class RemoteEngine:
    """One model behind one URL. The key is read from the environment when the engine is made, and kept in a header.

    `meter` counts the money, where requests cost any.
    """

    def __init__(self, spec: EngineSpec, settings: EngineSettings, meter: Meter | None = None) -> None:
        self._name = str(spec)
        self._answered = False
        self._failures = 0
        connections = settings.concurrency or CONCURRENCY
        self.concurrency = settings.batch_rows if settings.batch else connections
        model = model_of(spec, settings)
        self._reasoning_tokens = model.reasoning_tokens
        self.capabilities = abilities(model)
        dialect = _dialect(spec, model)
        wire = HttpWire(
            spec.url or f"{provider_of(spec).url}{API}",
            dialect=dialect,
            key=key_of(spec, settings),
            timeout_s=settings.timeout_s or TIMEOUT_S,
            connections=connections,
            limiter=_limiter(spec, settings, connections),
        )
        self._client = ChatClient(
            meter(wire) if meter else wire,
            model=spec.model,
            dialect=dialect,
            policy=RetryPolicy(settings.attempts, settings.retry_s),
        )

    async def start(self) -> None:
        await self._client.open()

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Raises EngineError for a server that is of no use to any row (see `_dead`)."""
        try:
            if self._reasoning_tokens:
                request = replace(request, max_tokens=request.max_tokens + self._reasoning_tokens)
            completion = await self._client.complete(request)
        except (Rejected, Unavailable, TimedOut) as error:
            self._failures += 1
            if self._dead(error):
                remedy = "Check the address, the model's name and the key, and whether the server is up."
                raise EngineError(f"{self._name} can't be used: {error.message}", remedy) from error
            raise
        self._answered = True
        self._failures = 0
        return completion

    def _dead(self, error: RequestError) -> bool:
        """Whether this failure isn't about the row: access refused or no connection from the start, or too many."""
        if self._failures >= FAILURES:
            return True
        if self._answered:
            return False
        if isinstance(error, Rejected) and not isinstance(error, ContextTooLong) and self._failures >= REJECTIONS:
            return True
        return isinstance(error, Forbidden | Unreachable) or (
            isinstance(error, ConnectionLost) and self._failures >= REFUSALS
        )

    async def count(self, text: str) -> int | None:  # noqa: ARG002
        return None

    async def cut(self, text: str, tokens: int) -> str:  # noqa: ARG002
        return text  # no tokenizer: a text that is too long comes back as ContextTooLong

    async def close(self) -> None:
        await self._client.close()


def _limiter(spec: EngineSpec, settings: EngineSettings, connections: int) -> Limiter | None:
    """Return what paces a tier. A vLLM server queues by itself, and must not run dry because replies take longer."""
    if spec.engine == "vllm" and not (settings.requests_per_minute or settings.tokens_per_minute):
        return None
    return Limiter(
        connections,
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
    )


def _dialect(spec: EngineSpec, model: Model) -> Dialect:
    """The language of the engine, as this model takes it. Raises ConfigError for a structure that it doesn't have."""
    if model.structure == ("object" if spec.engine == "anthropic" else "tool"):
        remedy = "Set structure to schema or tool." if spec.engine == "anthropic" else "Set it to schema or object."
        raise ConfigError(f"{spec}: structure can't be {model.structure!r} there.", remedy)
    if spec.engine == "vllm":
        return VLLM
    if spec.engine == "anthropic":
        return MessagesDialect(model)
    return replace(
        COMPATIBLE,
        top_logprobs=model.top_logprobs,
        max_tokens=model.max_tokens_field,
        schema=model.structure == "schema",
        temperature=model.temperature,
        seed=model.seed,
        effort=model.effort,
    )


def key_of(spec: EngineSpec, settings: EngineSettings) -> str:
    """The key, or nothing. Only a known provider, or a named variable, makes a missing key an error.

    Over plain http to another machine a key is sent only when its variable was named for this tier.
    """
    if settings.key_env is None and spec.url and not (spec.url.startswith("https://") or on_loopback(spec.url)):
        return ""
    provider = provider_of(spec)
    variable = settings.key_env or provider.key_env
    key = os.environ.get(variable, "").strip()
    if not key.isprintable():
        raise ConfigError(f"{spec}: {variable} holds control characters.", "Export the key itself, on one line.")
    if not key and (settings.key_env or provider.name):
        raise ConfigError(
            f"{spec}: the environment variable {variable} is not set.",
            "Export it, or name another one as key_env in the tier's table of the configuration file.",
        )
    return key
