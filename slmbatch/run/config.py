"""The configuration file: tiers, prices and limits, in TOML. Flags win over it."""

from __future__ import annotations

import difflib
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slmbatch.engines.loaders import known_engine
from slmbatch.engines.settings import EngineSettings, parse_spec
from slmbatch.errors import ConfigError
from slmbatch.money.prices import PRICE_DECIMALS, Rates

_SERVED = frozenset({"llamacpp", "vllm", "openai", "anthropic"})  # asked over HTTP
ABROAD = frozenset({"openai", "anthropic", "vllm"})  # at an address of their own, or so they may be
_APIS = frozenset({"openai", "anthropic"})
ENGINES_OF = {  # the engines that a key means something to, where that isn't all of them
    **dict.fromkeys(("concurrency", "timeout_s", "retry_s", "attempts"), _SERVED),
    **dict.fromkeys(("key_env", "requests_per_minute", "tokens_per_minute"), ABROAD),
    **dict.fromkeys(("structure", "max_tokens_field", "temperature", "seed", "reasoning_tokens", "effort"), ABROAD),
    "sees": ABROAD,
    **dict.fromkeys(("batch", "batch_rows", "batch_poll_s", "batch_wait_h"), _APIS),
    **dict.fromkeys(("vllm_command", "vllm_args", "data_parallel", "gpus"), frozenset({"vllm"})),
    "top_logprobs": _SERVED,
    "context_tokens": _SERVED,
    "slots": frozenset({"llamacpp", "vllm"}),
    "threads": frozenset({"llamacpp", "head"}),
    "embeddings": frozenset({"head"}),
}
_STRICT = ConfigDict(extra="forbid", frozen=True)


class PriceTable(BaseModel):
    """USD per million tokens, with at most six decimals: so a token's price is exact in the tables' twelve.

    `batch_discount` is the share that asking through the batch endpoint takes off, 0.5 for half the price.
    """

    model_config = _STRICT
    input: Decimal = Field(ge=0, decimal_places=PRICE_DECIMALS)
    output: Decimal = Field(ge=0, decimal_places=PRICE_DECIMALS)
    batch_discount: Decimal = Field(default=Decimal(0), ge=0, lt=1)
    cached_input: Decimal | None = Field(default=None, ge=0, decimal_places=PRICE_DECIMALS)
    cache_write: Decimal | None = Field(default=None, ge=0, decimal_places=PRICE_DECIMALS)
    source: str = "configuration file"

    def rates(self) -> Rates:
        return Rates(self.input, self.output, self.cached_input, self.cache_write)


class TierTable(BaseModel):
    """Limits and price of one tier. See EngineSettings for the units."""

    model_config = _STRICT
    key_env: str | None = None
    concurrency: int | None = Field(default=None, ge=1, le=4096)
    timeout_s: float | None = Field(default=None, gt=0)
    retry_s: float = Field(default=120.0, ge=0)
    attempts: int = Field(default=5, ge=1, le=100)
    context_tokens: int | None = Field(default=None, ge=256)
    top_logprobs: int | None = Field(default=None, ge=0, le=1000)
    slots: int | None = Field(default=None, ge=1, le=256)
    threads: int | None = Field(default=None, ge=1)
    embeddings: str | None = None
    batch: bool | None = None
    batch_rows: int = Field(default=10_000, ge=1, le=100_000)
    batch_poll_s: float = Field(default=30.0, gt=0)
    batch_wait_h: float | None = Field(default=None, gt=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    structure: Literal["schema", "object", "tool"] | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    temperature: bool | None = None
    seed: bool | None = None
    reasoning_tokens: int | None = Field(default=None, ge=0, le=1_000_000)
    effort: str | None = None
    sees: bool | None = None
    vllm_command: tuple[str, ...] = ()
    vllm_args: tuple[str, ...] = ()
    data_parallel: int | None = Field(default=None, ge=1)
    gpus: tuple[int, ...] = ()
    usd_per_hour: Decimal | None = Field(default=None, ge=0)
    price: PriceTable | None = None

    def settings(self) -> EngineSettings:
        return EngineSettings(**self.model_dump(exclude={"usd_per_hour", "price"}))


class ConfigFile(BaseModel):
    model_config = _STRICT
    model: str | None = None
    escalate: tuple[str, ...] = ()
    threshold: float | None = Field(default=None, ge=0, le=1)
    max_usd: Decimal | None = Field(default=None, gt=0)
    tier: dict[str, TierTable] = {}

    @field_validator("tier")
    @classmethod
    def _known(cls, tables: dict[str, TierTable]) -> dict[str, TierTable]:
        for name, table in tables.items():
            engine = known_engine(parse_spec(name)).engine
            for key in table.model_fields_set:
                takers = ENGINES_OF.get(key)
                if takers is not None and engine not in takers:
                    raise ConfigError(
                        f"tier.{name}: {key} means nothing to {engine}.",
                        f"Remove it: it is for {' and '.join(sorted(takers))}.",
                    )
        return tables


def load_config(path: Path | None) -> ConfigFile:
    """Read the file; None gives the defaults. Raises ConfigError naming the key and the nearest known one."""
    if path is None:
        return ConfigFile()
    try:
        return ConfigFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}).", "Check the path given to --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", "Correct the file.") from error
    except ValidationError as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return ConfigError(f"{path}: {place}: {first['msg'].lower()}.", "Correct the value.")
    known = {*ConfigFile.model_fields, *TierTable.model_fields, *PriceTable.model_fields}
    nearest = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"Known keys: {', '.join(sorted(known))}."
    return ConfigError(f"{path}: unknown key {place}.", hint)
