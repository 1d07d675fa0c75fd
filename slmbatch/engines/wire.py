"""One try: a request's body goes out, a reply or an error comes back. Who retries or counts stands before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from math import isnan
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import msgspec

from slmbatch.chat import Completion
from slmbatch.engines.dialects import Dialect
from slmbatch.engines.dialects.chat import refusal
from slmbatch.engines.dialects.pictures import weigh
from slmbatch.engines.limits import OVERLOADED, TIMED_OUT, Limiter
from slmbatch.errors import ConnectionLost, MalformedReply, RequestError, TimedOut, Unavailable, Unreachable

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
BYTES_PER_TOKEN = 4  # of a body, about: counted right when the reply tells
TOKENS_PER_PICTURE = 2400  # of a page, about
BULK = aiohttp.ClientTimeout(total=900.0)  # for files of batches, which may hold 100 MB
JSON = {"Content-Type": "application/json"}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST_RETRY_S = 300.0  # a server that wants a longer pause is asked after this one


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable reply: its bytes, and what they say. `usd` was paid for it, by this try or, if `reused`, by another."""

    content: bytes
    completion: Completion
    usd: Decimal = Decimal(0)
    reused: bool = False


class Wire(Protocol):
    """Carries bodies of requests to one address. Open it once, close it once."""

    @property
    def url(self) -> str: ...

    async def open(self) -> None: ...

    def turn(self, body: bytes, *, max_tokens: int) -> AbstractAsyncContextManager[None]:
        """Wait until this may be sent; `post` stands within it."""

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:
        """Send once; `max_tokens` bounds the reply. Raises the RequestError that this try ended with."""

    def decode(self, content: bytes) -> Completion:
        """Read a reply's bytes again, as `post` did. Raises MalformedReply."""

    async def close(self) -> None: ...


async def ask(url: str, *, headers: Mapping[str, str], body: Mapping[str, object] | None = None) -> Any:
    """Ask a server of one's own about something else than a completion: GET, or POST with a body. Returns its JSON.

    Raises ConnectionLost, MalformedReply, or what an error of the server means (see dialects.chat.refusal).
    """
    method = "GET" if body is None else "POST"
    try:
        async with (
            aiohttp.ClientSession(headers=headers, trust_env=not on_loopback(url)) as session,
            session.request(method, url, json=body) as response,
        ):
            content = await response.read()
            if response.status == 200:
                return msgspec.json.decode(content)
            raise refusal(response.status, content)
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionLost(f"{url} can't be reached: {error}") from error
    except msgspec.DecodeError as error:
        raise MalformedReply(f"{url} answers with something that isn't JSON.") from error


class HttpWire:
    """Posts to a server at `base`, in its dialect, no faster than the limiter allows.

    The key appears in headers only; `timeout_s` is for each try, without its waiting for a turn.
    """

    def __init__(
        self,
        base: str,
        *,
        dialect: Dialect,
        key: str,
        timeout_s: float,
        connections: int,
        limiter: Limiter | None = None,
    ) -> None:
        self._base = base
        self.url = base + dialect.path
        self._dialect = dialect
        self._headers = dialect.headers(key)
        self._key = key.encode()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections = connections
        self._limiter = limiter
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300),
            headers=self._headers,
            trust_env=not on_loopback(self.url),  # a proxy, where one is set
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def decode(self, content: bytes) -> Completion:
        return self._dialect.decode(content)

    def turn(self, body: bytes, *, max_tokens: int) -> AbstractAsyncContextManager[None]:
        return self._limiter.turn(_tokens(body, max_tokens)) if self._limiter else nullcontext()

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:
        """Send once, and read the whole reply."""
        sent = self._limiter.now() if self._limiter else 0.0
        tokens = _tokens(body, max_tokens)
        try:
            status, content, headers = await self._exchange("POST", self.url, body, self._timeout)
        except TimedOut:
            if self._limiter:
                self._limiter.heard(TIMED_OUT, {}, sent=sent, tokens=tokens)
            raise
        retry_s = _seconds(headers.get("Retry-After"))
        if self._limiter:
            self._limiter.heard(status, headers, sent=sent, tokens=tokens)
            if status in OVERLOADED:
                self._limiter.hold(retry_s or 0.0)
        reply = self.read(status, content, retry_s)
        if self._limiter and (usage := reply.completion.usage).input_tokens:
            self._limiter.used(usage.input_tokens + usage.output_tokens, instead_of=tokens)
        return reply

    async def call(self, method: str, path: str, data: bytes | aiohttp.FormData | None = None) -> bytes:
        """Send something else than a question, to a path below the base address; returns the body of a 200."""
        status, content, headers = await self._exchange(method, self._base + path, data, BULK)
        if status != 200:
            raise self._error(status, content, _seconds(headers.get("Retry-After")))
        return content

    def read(self, status: int, content: bytes, retry_s: float | None = None) -> Reply:
        """Read an answer to a question. Raises the RequestError that it is."""
        if status != 200:
            raise self._error(status, content, retry_s)
        return Reply(content, self.decode(content))

    async def _exchange(
        self, method: str, url: str, data: bytes | aiohttp.FormData | None, within: aiohttp.ClientTimeout
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Return status, content and headers of what the server answers."""
        assert self._session is not None, "open() comes first"
        if self._session.closed:  # a supervised server was restarted while this request waited to be sent again
            raise ConnectionLost("the server that was asked is gone")
        json = None if isinstance(data, aiohttp.FormData) else JSON
        try:
            async with self._session.request(method, url, data=data, headers=json, timeout=within) as response:
                return response.status, await response.read(), response.headers
        except TimeoutError as error:
            late = TimedOut(f"no reply within {within.total:g} s")
            late.passing = True
            raise late from error
        except (aiohttp.ClientError, OSError) as error:
            kind = Unreachable if isinstance(error, aiohttp.ClientConnectorError) else ConnectionLost
            lost = kind(f"the connection to the server failed: {error}")
            lost.passing = True
            raise lost from error

    def _error(self, status: int, content: bytes, retry_s: float | None) -> RequestError:
        if status in RETRIED:
            unavailable = Unavailable(f"the server kept answering with status {status}")
            unavailable.passing, unavailable.wait_s, unavailable.status = True, retry_s, status
            return unavailable
        # Some servers repeat the key in their refusal.
        error = self._dialect.refusal(status, content.replace(self._key, b"***") if self._key else content)
        error.status = status
        return error


Meter: TypeAlias = Callable[[HttpWire], Wire]  # puts what counts money before a wire


def _tokens(body: bytes, max_tokens: int) -> int:
    """Guess what a request counts for in limits by the minute: providers count all that the reply may have."""
    told, pictures = weigh(body)
    return told // BYTES_PER_TOKEN + pictures * TOKENS_PER_PICTURE + max_tokens


def on_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in LOOPBACK


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110, 10.2.3); None for anything that isn't a time."""
    seconds = _told(retry_after)
    return None if seconds is None or isnan(seconds) else min(LONGEST_RETRY_S, max(0.0, seconds))


def _told(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return (when - dt.datetime.now(when.tzinfo)).total_seconds()
