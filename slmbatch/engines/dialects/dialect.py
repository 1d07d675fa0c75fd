"""What a wire and a client must know of a server's language; they know nothing else of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from slmbatch.chat import Completion, Request
from slmbatch.errors import RequestError


class Encoder(Protocol):
    """Writes the bodies of requests to one model."""

    def body(self, request: Request) -> bytes: ...


class Dialect(Protocol):
    """The language of one family of servers."""

    @property
    def path(self) -> str:
        """Where requests go, below the server's base address: `/chat/completions`."""

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of each request: the key's, unless it is empty, and what else the server wants."""

    def encoder(self, model: str) -> Encoder: ...

    def decode(self, content: bytes) -> Completion:
        """Read the body of a 200. Raises MalformedReply when it isn't a completion."""

    def refusal(self, status: int, content: bytes) -> RequestError:
        """Translate a final error status (not one that is retried) into the row's error."""
