"""Any server that is already running and speaks OpenAI chat completions, paid or not."""

from __future__ import annotations

import os

from slmbatch.engines.client import ChatClient, RetryPolicy
from slmbatch.engines.dialects import OPENAI
from slmbatch.engines.settings import EngineSettings, EngineSpec
from slmbatch.errors import ConfigError, ConnectionLost, EngineError, Forbidden, Unreachable
from slmbatch.types import Capabilities, Completion, Request

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
CONCURRENCY, TIMEOUT_S = 32, 120.0
REFUSALS = 3  # requests that used up their retries on connections, before the first answer ever


class RemoteEngine:
    """One model behind one URL. The key is read from the environment when the engine is made, and kept in a header."""

    def __init__(self, spec: EngineSpec, settings: EngineSettings) -> None:
        self._name = str(spec)
        self._answered = False
        self._refused = 0
        self.concurrency = settings.concurrency or CONCURRENCY
        top = OPENAI.top_logprobs if settings.top_logprobs is None else settings.top_logprobs
        self.capabilities = Capabilities(
            choice=False, top_logprobs=top, raw_logprobs=False, context_tokens=settings.context_tokens, tokenizer=False
        )
        policy = RetryPolicy(settings.attempts, settings.retry_s, settings.timeout_s or TIMEOUT_S)
        self._client = ChatClient(
            spec.url or DEFAULT_URL,
            model=spec.model,
            dialect=OPENAI,
            headers=_authorization(spec, settings),
            policy=policy,
            concurrency=self.concurrency,
        )

    async def start(self) -> None:
        await self._client.open()

    async def complete(self, request: Request) -> Completion:
        """Answer one request; a server that has never answered and can't be reached, or refuses our key, is dead."""
        try:
            completion = await self._client.complete(request)
        except (ConnectionLost, Forbidden) as error:
            self._refused += 1
            if not self._answered and (self._refused >= REFUSALS or isinstance(error, Forbidden | Unreachable)):
                remedy = "Check the address, the model's name and the key."
                raise EngineError(f"{self._name} can't be used: {error.message}", remedy) from error
            raise
        self._answered = True
        return completion

    async def count(self, text: str) -> int | None:  # noqa: ARG002
        return None

    async def cut(self, text: str, tokens: int) -> str:  # noqa: ARG002
        return text  # no tokenizer: a text that is too long comes back as ContextTooLong

    async def close(self) -> None:
        await self._client.close()


def _authorization(spec: EngineSpec, settings: EngineSettings) -> dict[str, str]:
    """The key's header. Only the default address, or a named variable, makes a missing key an error."""
    key = os.environ.get(settings.key_env or DEFAULT_KEY, "")
    if not key and (settings.key_env or spec.url is None):
        raise ConfigError(
            f"{spec}: the environment variable {settings.key_env or DEFAULT_KEY} is not set.",
            "Export it, or name another one as key_env in the tier's table of the configuration file.",
        )
    return {"Authorization": f"Bearer {key}"} if key else {}
