"""What passes between a task and an engine: the question, what an engine can do, and what came back."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request.

    `cached_tokens` (read from the provider's cache) and `cache_write_tokens` are part of `input_tokens`,
    `reasoning_tokens` of `output_tokens`.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NO_USAGE = Usage()
MOST_TOKENS = 2**32  # of one request: what counts more has counted wrongly


def believed(usage: Usage) -> Usage:
    """Return what a server counted, or nothing where that can't be: a cost is never made of it."""
    parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens)
    wholes = (usage.input_tokens, usage.output_tokens)
    if min(*parts, *wholes) < 0 or max(wholes) > MOST_TOKENS:
        return NO_USAGE
    if usage.cached_tokens + usage.cache_write_tokens > usage.input_tokens or parts[2] > usage.output_tokens:
        return NO_USAGE
    return usage


PIXELS_PER_TOKEN = 750
"""Anthropic's rule for images (platform.claude.com, Vision); OpenAI's tiles and patches of 32 pixels make as many or
fewer of a page, times up to 2.5 for its smallest models."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as JPEG, of so many pixels."""

    jpeg: bytes
    width: int
    height: int

    @property
    def tokens(self) -> int:
        """About how many tokens of input it takes."""
        return -(-self.width * self.height // PIXELS_PER_TOKEN)

    @property
    def base64(self) -> str:
        return b64encode(self.jpeg).decode()


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says; `pictures` come before the text. Only engines that see are given any."""

    role: str
    content: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The reply is one of `options`, literally; no option is a prefix of another."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonShape:
    """The reply is JSON of this schema, given as JSON text and already reduced to what decoders support."""

    name: str
    schema: str


Shape: TypeAlias = Choice | JsonShape


@dataclass(frozen=True, slots=True)
class Request:
    """One question, in no dialect yet. `shape` is what the reply must look like."""

    messages: tuple[Message, ...]
    shape: Shape
    max_tokens: int
    top_logprobs: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do.

    `choice`: it can be held to literal alternatives (else a JSON object with an enum is asked for). `top_logprobs`: how
    many alternatives per token it tells, 0 for none. `raw_logprobs`: they are taken before the grammar's mask.
    `context_tokens` is for prompt and reply together, None where unknown; `reasoning_tokens` are part of the reply's.
    `sees`: takes pictures.
    """

    choice: bool
    top_logprobs: int
    raw_logprobs: bool
    context_tokens: int | None
    reasoning_tokens: int = 0
    sees: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token (UTF-8 bytes), its natural-log probability, and the likeliest alternatives, best first."""

    data: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. `tokens` is None where the engine gives no logprobs. `cut_short`: max_tokens was reached.

    `tries` counts the requests that were sent for it, retries included; none for one that the ledger remembers. `usd`
    is what the ledger has counted for all of them, 0 for engines that don't charge by the request.
    """

    text: str
    tokens: tuple[Token, ...] | None
    usage: Usage
    cut_short: bool = False
    tries: int = 1
    usd: Decimal = Decimal(0)
