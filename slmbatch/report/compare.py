"""What the rows of a run would have cost, had all of them been asked of one tier, paid by the token.

Each content is asked once there, as in the run itself, without retries and without doubt. Where the tier did answer,
its own tokens count. For the others they are estimated, from as near a source as the run has; the estimate says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slmbatch.chat import Usage
from slmbatch.money.prices import Price
from slmbatch.store.parts import KeyIndex

CHARACTERS_PER_TOKEN = 4  # a rule of thumb for European languages
LEAF_CHARACTERS = 6  # quotes, colon and comma around a field's name and value
ATTEMPT = "attempts.list.element."
TOKENS, SPARED = ("input_tokens", "cached_tokens", "output_tokens"), ("spared_input_tokens", "spared_output_tokens")
COLUMNS = [
    *("key", "status", "characters", "label", "leaves.list.element.path", "leaves.list.element.value"),
    *(ATTEMPT + name for name in ("tier", *TOKENS, *SPARED)),
]
Counts: TypeAlias = npt.NDArray[np.float64]  # whole numbers, exact up to 2^53


@dataclass(frozen=True, slots=True)
class Comparison:
    """`contents` would have been asked; of these the tier answered `answered`, for `usd_answered` at its price."""

    tier: str
    price: str
    contents: int
    answered: int
    usd_answered: Decimal
    usd_estimated: Decimal
    assumed: str
    in_part: int = 0  # of `answered`, how many were asked for some fields alone: the rest of these is estimated

    @property
    def usd(self) -> Decimal:
        return self.usd_answered + self.usd_estimated


@dataclass(frozen=True, slots=True)
class _Contents:
    """Some contents: characters of the prompt and of the answer, and tokens (input, cached, output) where reported.

    `in_part` says of which the compared tier was asked some fields alone: what the others would have taken is in `own`.
    `own` are the compared tier's tokens, `other` those of the largest other tier that reported any; 0 where none did.
    """

    prompt: Counts
    answer: Counts
    own: Counts
    other: Counts
    in_part: Counts

    def __len__(self) -> int:
        return len(self.prompt)


@dataclass(slots=True)
class _Measured:
    """Sums over contents for which a tier reported its tokens."""

    contents: int = 0
    prompt: float = 0.0
    tokens: Counts | tuple[float, ...] = (0.0, 0.0, 0.0)

    def add(self, found: _Contents, tokens: Counts) -> None:
        told = tokens[:, 0] > 0
        self.contents += int(told.sum())
        self.prompt += float(found.prompt[told].sum())
        self.tokens = np.asarray(self.tokens) + tokens[told].sum(axis=0)


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Tokens for a content that the tier didn't answer."""

    per_character: float
    cached_share: float
    output: float
    assumed: str

    def tokens(self, prompt: Counts) -> Counts:
        asked = np.rint(prompt * self.per_character)
        return np.column_stack([asked, asked * self.cached_share, np.full(len(asked), self.output)])


def compare(parts: Sequence[Path], tier: str, price: Price, *, instructions: int) -> Comparison:
    """Price all contents of a run at one tier. `instructions` are the characters that each prompt has before its text.

    Contents that couldn't be read aren't asked there either.
    """
    own, other = _Measured(), _Measured()
    answers, answered_characters = 0, 0.0
    for found in _contents(parts, tier, instructions):
        own.add(found, found.own)
        other.add(found, found.other)
        answers += int((found.answer > 0).sum())
        answered_characters += float(found.answer.sum())
    estimate = _estimate(own, other, answered_characters / max(1, answers))
    told, guessed, contents, in_part = _Bands(price), _Bands(price), 0, 0
    for found in _contents(parts, tier, instructions):
        known = found.own[:, 0] > 0
        told.add(found.own[known])
        guessed.add(estimate.tokens(found.prompt[~known]))
        contents += len(found)
        in_part += int(found.in_part.sum())
    return Comparison(tier, price.source, contents, own.contents, told.usd(), guessed.usd(), estimate.assumed, in_part)


def _estimate(own: _Measured, other: _Measured, answer_characters: float) -> _Estimate:
    """Take the compared tier's own tokens where it answered any, else another model's, else characters."""
    for measured, whose in ((own, "its own"), (other, "another model's")):
        if measured.contents:
            asked, cached, told = (float(one) for one in measured.tokens)
            ratio, output = asked / measured.prompt, told / measured.contents
            share = cached / asked if measured is own else 0.0
            return _Estimate(
                ratio,
                share,
                output,
                f"{ratio:.3f} input tokens per character of prompt and {output:.1f} output tokens, {whose} means over "
                f"{measured.contents:,} texts; {share:.0%} of the input cached",
            )
    output = answer_characters / CHARACTERS_PER_TOKEN
    return _Estimate(
        1 / CHARACTERS_PER_TOKEN,
        0.0,
        output,
        f"a token for {CHARACTERS_PER_TOKEN} characters of prompt, and of the answers found: {output:.1f} output "
        "tokens; nothing cached, no reasoning",
    )


class _Bands:
    """Sums of tokens by the rates that requests of their size pay: within one, cost is proportional to tokens."""

    def __init__(self, price: Price) -> None:
        self._rates = price.rates
        self._bounds = [one.above_tokens for one in price.rates]
        self._sums = np.zeros((len(price.rates), 3))

    def add(self, tokens: Counts) -> None:
        """Add requests, one a row: input, cached, output."""
        at = np.maximum(np.searchsorted(self._bounds, tokens[:, 0], side="left") - 1, 0)
        np.add.at(self._sums, at, tokens)

    def usd(self) -> Decimal:
        amounts = (
            rates.usd(Usage(*(round(float(one)) for one in sums)))
            for rates, sums in zip(self._rates, self._sums, strict=True)
        )
        return sum(amounts, Decimal(0))


def _contents(parts: Sequence[Path], tier: str, instructions: int) -> Iterator[_Contents]:
    """Yield every readable content once, with its latest result, a part at a time."""
    seen = KeyIndex()
    for path in reversed(parts):
        with pq.ParquetFile(path) as part:
            table = part.read(columns=COLUMNS)
        keys = table["key"].to_pylist()
        fresh = pa.array([not known for known in seen.contains(keys)])
        seen.add(keys)
        table = table.filter(pc.and_(fresh, pc.not_equal(table["status"], "unreadable")))
        prompt = table["characters"].to_numpy().astype(np.float64) + instructions
        yield _Contents(prompt, _answer_characters(table), *_tokens(table["attempts"], tier))


def _tokens(attempts: pa.ChunkedArray, tier: str) -> tuple[Counts, Counts, Counts]:
    lists = attempts.combine_chunks()
    rows, flat = pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists)
    tokens = np.column_stack([pc.struct_field(flat, name).to_numpy().astype(np.float64) for name in TOKENS])
    spared = np.column_stack([pc.fill_null(pc.struct_field(flat, name), 0).to_numpy() for name in SPARED])
    tokens[:, [0, 2]] += spared  # asked for some fields alone, and here it's for all of them
    told = tokens[:, 0] > 0
    mine = pc.equal(pc.struct_field(flat, "tier"), tier).to_numpy(zero_copy_only=False)
    own, other = np.zeros((len(lists), 3)), np.zeros((len(lists), 3))
    own[rows[told & mine]] = tokens[told & mine]
    other[rows[told & ~mine]] = tokens[told & ~mine]  # of several the last, which is the largest
    in_part = np.zeros(len(lists))
    in_part[rows[mine & spared.any(axis=1)]] = 1
    return own, other, in_part


def _answer_characters(table: pa.Table) -> Counts:
    """How long the answers are as a model would write them: the label, or the fields as JSON."""
    characters: Counts = pc.fill_null(pc.utf8_length(table["label"]), 0).to_numpy().astype(np.float64)
    lists = table["leaves"].combine_chunks()
    flat = pc.list_flatten(lists)
    sizes = [pc.fill_null(pc.utf8_length(pc.struct_field(flat, name)), 4) for name in ("path", "value")]  # 4: null
    owners = pc.list_parent_indices(lists).to_numpy()
    np.add.at(characters, owners, sum(one.to_numpy() for one in sizes) + LEAF_CHARACTERS)
    return characters
