"""What the generated tokens say about an answer. Pure arithmetic over logprobs; knows no prompt and no engine."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from slmbatch.chat import Token

Branch: TypeAlias = tuple[tuple[int, ...], float]
CACHE_LIMIT = 20_000  # distinct token continuations remembered per label set


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Share of probability per label, renormalised over the labels: a lower bound each, so they sum to at most 1.

    `mass` is the probability that the first token starts any label, as the engine gave it.
    """

    scores: dict[str, float]
    mass: float


class LabelScorer:
    """Score every label from the tokens of one reply.

    `replies` is the whole text expected for each label, none a prefix of another. At each generated token the
    alternatives that keep a label possible are renormalised; the reply's own path is followed exactly, siblings get
    the mass of the token where they branch off, shared equally among labels that one token can't tell apart. A label
    that no listed alternative leads to may have as much as the last listed one: that much is held back for each, so
    that a score is never overstated by what the server didn't tell.
    """

    def __init__(self, replies: Mapping[str, bytes]) -> None:
        self._labels = tuple(replies)
        self._replies = tuple(replies.values())
        self._matches: dict[bytes, tuple[int, ...]] = {}

    def score(self, tokens: Sequence[Token]) -> LabelScores:
        """Return the scores. Labels that no alternative told about are absent: their share is unknown, not zero."""
        shares: dict[int, float] = {}
        live: tuple[int, ...] = tuple(range(len(self._labels)))
        prefix, path, mass = b"", 1.0, None
        for token in tokens:
            if len(live) == 1:
                break
            if not token.data:  # part of a character, told whole with a later token: what it left to others is unknown
                path *= math.exp(token.logprob)
                continue
            chosen = self._continuing(prefix + token.data, live)
            if not chosen:
                continue
            branches = self._branches(prefix, token, live)
            own = math.exp(token.logprob)
            told = own + sum(probability for _, probability in branches)
            mass = told if mass is None else mass
            total = told + self._untold(token, live, chosen, branches) or 1.0  # 0 where a mask hid everything
            for members, probability in branches:
                for member in members:
                    shares[member] = shares.get(member, 0.0) + path * probability / total / len(members)
            path *= own / total
            prefix, live = prefix + token.data, chosen
        for member in live:
            shares[member] = shares.get(member, 0.0) + path / len(live)
        return LabelScores({self._labels[member]: min(share, 1.0) for member, share in shares.items()}, mass or 0.0)

    def _branches(self, prefix: bytes, token: Token, live: tuple[int, ...]) -> list[Branch]:
        """The alternatives to `token` that keep a label possible: the labels, and the probability."""
        branches = []
        for data, logprob in token.top:
            if data and data != token.data and (members := self._continuing(prefix + data, live)):
                branches.append((members, math.exp(logprob)))
        return branches

    @staticmethod
    def _untold(token: Token, live: Sequence[int], chosen: Sequence[int], branches: Sequence[Branch]) -> float:
        """The most probability that labels without a listed alternative can have together."""
        if not token.top:
            return 1.0 - math.exp(token.logprob)
        unseen = len(set(live).difference(chosen, *(members for members, _ in branches)))
        return unseen * math.exp(min(logprob for _, logprob in token.top))

    def _continuing(self, text: bytes, live: tuple[int, ...]) -> tuple[int, ...]:
        """Which live labels can still be the reply when it starts with `text`."""
        members = self._matches.get(text)
        if members is None:
            members = tuple(
                index for index, reply in enumerate(self._replies) if reply.startswith(text) or text.startswith(reply)
            )
            if len(self._matches) < CACHE_LIMIT:
                self._matches[text] = members
        return members if len(live) == len(self._labels) else tuple(set(members) & set(live))


@dataclass(frozen=True, slots=True)
class SpanScore:
    """Logprobs of a span's own tokens. `first` is that of the token that holds its first character."""

    mean: float
    least: float
    first: float


class TokenSpans:
    """Find the tokens of a part of a reply. Offsets are bytes of the reply in UTF-8."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = [token for token in tokens if token.data]
        self._ends: list[int] = []
        end = 0
        for token in self._tokens:
            end += len(token.data)
            self._ends.append(end)

    def score(self, start: int, end: int, *, decided_at: int) -> SpanScore | None:
        """Score the tokens that overlap bytes [start, end); `decided_at` is the byte whose token decided the value.

        Returns None when no token lies there.
        """
        first, last = bisect_right(self._ends, start), bisect_right(self._ends, end - 1)
        own = [token.logprob for token in self._tokens[first : last + 1]]
        deciding = bisect_right(self._ends, decided_at)
        if not own or deciding >= len(self._tokens):
            return None
        return SpanScore(sum(own) / len(own), min(own), self._tokens[deciding].logprob)
