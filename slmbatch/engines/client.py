"""The one HTTP client: sends a request, retries what may pass, translates what may not."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

import aiohttp

from slmbatch.engines.dialects import Dialect, Encoder, decode, refusal
from slmbatch.errors import ConnectionLost, RequestError, TimedOut, Unavailable, Unreachable
from slmbatch.types import Completion, Request

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
TIMEOUT_ATTEMPTS = 2  # a request that hung twice hangs again, and may have been paid for each time


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds by count and by time; `timeout_s` is for each try. `connections`: whether a lost one is tried again."""

    attempts: int
    total_s: float
    timeout_s: float
    connections: bool = True


class ChatClient:
    """Chat completions at one URL. `headers` carry the key, which appears nowhere else."""

    def __init__(
        self,
        url: str,
        *,
        model: str,
        dialect: Dialect,
        headers: Mapping[str, str],
        policy: RetryPolicy,
        concurrency: int,
    ) -> None:
        self._url = f"{url}/chat/completions"
        self._encoder = Encoder(dialect, model)
        self._headers = {"Content-Type": "application/json", **headers}
        self._key = headers.get("Authorization", "").removeprefix("Bearer ").encode()
        self._policy = policy
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=self._concurrency, ttl_dns_cache=300)
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_s)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            headers=self._headers,
            trust_env=not self._url.startswith(LOOPBACK),  # a proxy, where one is set
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def complete(self, request: Request) -> Completion:
        """Return the completion, or raise the RequestError that became final."""
        body = self._encoder.body(request)
        started = asyncio.get_running_loop().time()
        tries = timeouts = 0
        while True:
            tries += 1
            try:
                completion = await self._try(body)
            except _Passing as passing:
                timeouts += isinstance(passing.error, TimedOut)
                wait = passing.wait_s if passing.wait_s is not None else _backoff(tries)
                spent = asyncio.get_running_loop().time() - started
                exhausted = tries >= self._policy.attempts or spent + wait > self._policy.total_s
                if exhausted or timeouts >= TIMEOUT_ATTEMPTS:
                    passing.error.tries = tries
                    raise passing.error from passing
                await asyncio.sleep(wait)
            except RequestError as error:
                error.tries = tries
                raise
            else:
                return completion if tries == 1 else replace(completion, tries=tries)

    async def _try(self, body: bytes) -> Completion:
        assert self._session is not None, "open() comes first"
        if self._session.closed:  # a supervised server was restarted while this request waited to be sent again
            raise ConnectionLost("the server that was asked is gone")
        try:
            async with self._session.post(self._url, data=body) as response:
                content = await response.read()
                status, retry_after = response.status, response.headers.get("Retry-After")
        except TimeoutError as error:
            raise _Passing(TimedOut(f"no reply within {self._policy.timeout_s:g} s")) from error
        except (aiohttp.ClientError, OSError) as error:
            kind = Unreachable if isinstance(error, aiohttp.ClientConnectorError) else ConnectionLost
            lost = kind(f"the connection to the server failed: {error}")
            if not self._policy.connections:
                raise lost from error
            raise _Passing(lost) from error
        if status == 200:
            return decode(content)
        if status in RETRIED:
            raise _Passing(Unavailable(f"the server kept answering with status {status}"), _seconds(retry_after))
        # Some servers repeat the key in their refusal.
        raise refusal(status, content.replace(self._key, b"***") if self._key else content)


class _Passing(Exception):
    def __init__(self, error: RequestError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


def _backoff(tries: int) -> float:
    """Exponential waits with full jitter, as AWS's architecture blog derives them."""
    return random.uniform(0.1, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))  # noqa: S311


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (when - dt.datetime.now(when.tzinfo)).total_seconds())
