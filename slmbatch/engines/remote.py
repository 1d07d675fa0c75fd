"""Any server that is already running and speaks OpenAI chat completions, paid or not."""

from __future__ import annotations

import os

from slmbatch.chat import Capabilities, Completion, Request
from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import COMPATIBLE, OPENAI, Dialect
from slmbatch.engines.settings import EngineSettings, EngineSpec
from slmbatch.engines.wire import LOOPBACK, HttpWire, Meter
from slmbatch.errors import (
    ConfigError,
    ConnectionLost,
    EngineError,
    Forbidden,
    Rejected,
    RequestError,
    TimedOut,
    Unavailable,
    Unreachable,
)

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
CONCURRENCY, TIMEOUT_S = 32, 120.0
REFUSALS = 3  # requests that used up their retries on connections, before the first answer ever
FAILURES = 50  # requests in a row that failed for good, whatever came before: going on would fail the whole run


class RemoteEngine:
    """One model behind one URL. The key is read from the environment when the engine is made, and kept in a header.

    `meter` counts the money, where requests cost any; `key` is the variable with the key unless settings name one.
    """

    def __init__(
        self,
        spec: EngineSpec,
        settings: EngineSettings,
        meter: Meter | None = None,
        *,
        dialect: Dialect | None = None,
        key: str = DEFAULT_KEY,
    ) -> None:
        self._name = str(spec)
        self._answered = False
        self._failures = 0
        self.concurrency = settings.concurrency or CONCURRENCY
        top = OPENAI.top_logprobs if settings.top_logprobs is None else settings.top_logprobs
        self.capabilities = Capabilities(
            choice=False, top_logprobs=top, raw_logprobs=False, context_tokens=settings.context_tokens
        )
        wire = HttpWire(
            f"{spec.url or DEFAULT_URL}/chat/completions",
            headers=authorization(spec, settings, key),
            timeout_s=settings.timeout_s or TIMEOUT_S,
            connections=self.concurrency,
        )
        self._client = ChatClient(
            meter(wire) if meter else wire,
            model=spec.model,
            dialect=dialect or (COMPATIBLE if spec.url else OPENAI),
            policy=RetryPolicy(settings.attempts, settings.retry_s),
        )

    async def start(self) -> None:
        await self._client.open()

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Raises EngineError for a server that is of no use to any row (see `_dead`)."""
        try:
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
        return isinstance(error, Forbidden | Unreachable) or (
            isinstance(error, ConnectionLost) and self._failures >= REFUSALS
        )

    async def count(self, text: str) -> int | None:  # noqa: ARG002
        return None

    async def cut(self, text: str, tokens: int) -> str:  # noqa: ARG002
        return text  # no tokenizer: a text that is too long comes back as ContextTooLong

    async def close(self) -> None:
        await self._client.close()


def authorization(spec: EngineSpec, settings: EngineSettings, default: str = DEFAULT_KEY) -> dict[str, str]:
    """The key's header. Only the default address, or a named variable, makes a missing key an error.

    Over plain http to another machine a key is sent only when its variable was named for this tier.
    """
    if settings.key_env is None and spec.url and not spec.url.startswith(("https://", *LOOPBACK)):
        return {}
    key = os.environ.get(settings.key_env or default, "").strip()
    if not key.isprintable():
        variable = settings.key_env or default
        raise ConfigError(f"{spec}: {variable} holds control characters.", "Export the key itself, on one line.")
    if not key and (settings.key_env or spec.url is None):
        raise ConfigError(
            f"{spec}: the environment variable {settings.key_env or default} is not set.",
            "Export it, or name another one as key_env in the tier's table of the configuration file.",
        )
    return {"Authorization": f"Bearer {key}"} if key else {}
