"""Which engine and model a tier uses, and the limits it works under."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slmbatch.errors import ConfigError

EMBEDDED = "embedded-xml"  # answers from the e-invoice that a document carries, if it does
TRIAGE = "triage"  # tells documents' types, for the tiers after it; never named by a user
BARE = ("head", "rules", EMBEDDED)  # heads made out of the label file, or of the schema and shipped weights


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """`ENGINE:MODEL`, `ENGINE:MODEL@URL` or a bare `head` or `rules`, whose model is empty, as the user wrote it."""

    engine: str
    model: str
    url: str | None = None

    def __str__(self) -> str:
        return self.engine + (f":{self.model}" if self.model else "") + (f"@{self.url}" if self.url else "")


def parse_spec(text: str) -> EngineSpec:
    """Read `ENGINE:MODEL[@URL]` or a bare `head` or `rules`; raises ConfigError for anything else."""
    if text in BARE:
        return EngineSpec(text, "")
    engine, colon, rest = text.partition(":")
    model, at, url = rest.partition("@http")
    if at and "@" in url.partition("/")[0] + url.removeprefix("s").removeprefix("://").partition("/")[0]:
        raise ConfigError("The address of a tier holds a user name or password.", "Name a variable as key_env instead.")
    if engine in {"openai", "anthropic", "vllm"} and "@" in model[1:]:
        remedy = f"Write {engine}:{model.partition('@')[0]}@http://{model.rpartition('@')[2]}, or https."
        raise ConfigError(f"{text!r}: the address after @ doesn't begin with http:// or https://.", remedy)
    if not (engine and colon and model):
        raise ConfigError(f"{text!r} is not ENGINE:MODEL.", "For example llamacpp:smollm2-135m or openai:gpt-5-mini.")
    return EngineSpec(engine, model, f"http{url}".rstrip("/") if at else None)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Limits of one tier. Times are seconds; None means the engine's own default.

    `timeout_s` is for one try, `retry_s` for all waits before the retries of a request. `slots` and `threads` are for
    engines started here, `threads` for heads too; `embeddings` is the folder of a head's sentence model.
    `context_tokens` is for prompt and reply together. `requests_per_minute` and `tokens_per_minute` are what a provider
    allows, None for no such limit. What a model takes and tells is in capabilities.py; what is set here overrides it.
    `batch`: ask through the provider's batch endpoint, with at most `batch_rows` rows waiting, polling after
    `batch_poll_s` for the first time; `batch_wait_h` hours later what is left is asked online.
    The last four are for a vLLM server started here: the words that start `vllm`, more
    arguments of `vllm serve`, copies of the model, and the numbers of the GPUs that it may see (all, if empty).
    """

    key_env: str | None = None
    concurrency: int | None = None
    timeout_s: float | None = None
    retry_s: float = 120.0
    attempts: int = 5
    context_tokens: int | None = None
    top_logprobs: int | None = None
    slots: int | None = None
    threads: int | None = None
    embeddings: str | None = None
    batch: bool | None = None
    batch_rows: int = 10_000
    batch_poll_s: float = 30.0
    batch_wait_h: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    structure: Literal["schema", "object", "tool"] | None = None
    max_tokens_field: str | None = None
    temperature: bool | None = None
    seed: bool | None = None
    reasoning_tokens: int | None = None
    effort: str | None = None
    sees: bool | None = None
    vllm_command: tuple[str, ...] = ()
    vllm_args: tuple[str, ...] = ()
    data_parallel: int | None = None
    gpus: tuple[int, ...] = ()


def find_vllm(words: Sequence[str] = ()) -> list[str] | None:
    """Return the words that start vLLM: the chosen ones, else `vllm` beside this Python or on the PATH; else None."""
    program, *more = words or ["vllm"]
    beside = Path(sys.executable).with_name("vllm")
    found = str(beside) if not words and beside.exists() else shutil.which(program)
    return [found, *more] if found else None
