"""One try: a request's body goes out, a reply or an error comes back. Who retries or counts stands before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeAlias

import aiohttp
import msgspec

from slmbatch.chat import Completion
from slmbatch.engines.dialects import decode, refusal
from slmbatch.errors import ConnectionLost, MalformedReply, TimedOut, Unavailable, Unreachable

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


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

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:
        """Send once; `max_tokens` bounds the reply. Raises the RequestError that this try ended with."""

    async def close(self) -> None: ...


Meter: TypeAlias = Callable[[Wire], Wire]  # puts what counts money before a wire


async def ask(url: str, *, headers: Mapping[str, str], body: Mapping[str, object] | None = None) -> Any:
    """Ask a server of one's own about something else than a completion: GET, or POST with a body. Returns its JSON.

    Raises ConnectionLost, or Rejected when it answers with an error.
    """
    method = "GET" if body is None else "POST"
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
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
    """Posts to one URL. `headers` carry the key, which appears nowhere else; `timeout_s` is for each try."""

    def __init__(self, url: str, *, headers: Mapping[str, str], timeout_s: float, connections: int) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json", **headers}
        self._key = headers.get("Authorization", "").removeprefix("Bearer ").encode()
        self._timeout_s = timeout_s
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers=self._headers,
            trust_env=not self.url.startswith(LOOPBACK),  # a proxy, where one is set
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, body: bytes, *, max_tokens: int) -> Reply:  # noqa: ARG002
        """Send once, and read the whole reply."""
        assert self._session is not None, "open() comes first"
        if self._session.closed:  # a supervised server was restarted while this request waited to be sent again
            raise ConnectionLost("the server that was asked is gone")
        try:
            async with self._session.post(self.url, data=body) as response:
                content = await response.read()
                status, retry_after = response.status, response.headers.get("Retry-After")
        except TimeoutError as error:
            late = TimedOut(f"no reply within {self._timeout_s:g} s")
            late.passing = True
            raise late from error
        except (aiohttp.ClientError, OSError) as error:
            kind = Unreachable if isinstance(error, aiohttp.ClientConnectorError) else ConnectionLost
            lost = kind(f"the connection to the server failed: {error}")
            lost.passing = True
            raise lost from error
        if status == 200:
            return Reply(content, decode(content))
        if status in RETRIED:
            unavailable = Unavailable(f"the server kept answering with status {status}")
            unavailable.passing, unavailable.wait_s = True, _seconds(retry_after)
            raise unavailable
        # Some servers repeat the key in their refusal.
        raise refusal(status, content.replace(self._key, b"***") if self._key else content)


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
