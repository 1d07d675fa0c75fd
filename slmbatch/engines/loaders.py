"""The table of engines. A new engine is one function and one line."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from slmbatch.engines.engine import Engine
from slmbatch.engines.settings import EMBEDDED, TRIAGE, EngineSettings, EngineSpec
from slmbatch.engines.wire import Meter
from slmbatch.errors import ConfigError


def _llamacpp(
    spec: EngineSpec,
    settings: EngineSettings,
    *,
    log: Path,
    download: bool,
    meter: Meter | None,  # noqa: ARG001
) -> Engine:
    from slmbatch.engines.llamacpp import LlamaCppEngine
    from slmbatch.engines.models import model_file

    return LlamaCppEngine(model_file(spec.model, download=download), settings, log=log)


def _remote(
    spec: EngineSpec,
    settings: EngineSettings,
    *,
    log: Path,  # noqa: ARG001
    download: bool,  # noqa: ARG001
    meter: Meter | None,
) -> Engine:
    from slmbatch.engines.remote import RemoteEngine

    return RemoteEngine(spec, settings, meter)


def _vllm(
    spec: EngineSpec,
    settings: EngineSettings,
    *,
    log: Path,
    download: bool,
    meter: Meter | None,  # noqa: ARG001
) -> Engine:
    from slmbatch.engines.vllm import JoinedVllm, VllmEngine

    return JoinedVllm(spec, settings) if spec.url else VllmEngine(spec, settings, log=log, download=download)


Loader: TypeAlias = Callable[..., Engine]
ENGINES: dict[str, Loader] = {
    "llamacpp": _llamacpp,  # embedded: a GGUF file, served in a child process
    "openai": _remote,  # any server that speaks OpenAI chat completions
    "anthropic": _remote,  # any server that speaks Anthropic's Messages API
    "vllm": _vllm,  # `vllm serve` in a child process, or one that is running already
}
HEADS = frozenset({"head", "rules", EMBEDDED})  # answered in this process, by slmbatch.heads
LOCAL = frozenset({"llamacpp", "vllm", TRIAGE}) | HEADS  # not paid by the request


def known_engine(spec: EngineSpec) -> EngineSpec:
    """Return `spec`; raises ConfigError for an engine that isn't in the table."""
    known = [*ENGINES, *sorted(HEADS)]
    if spec.engine in known:
        return spec
    nearest = difflib.get_close_matches(spec.engine, known, n=1)
    hint = f" Did you mean {nearest[0]}:{spec.model}?" if nearest else ""
    raise ConfigError(f"{spec}: unknown engine {spec.engine!r}.", f"Known engines: {', '.join(known)}.{hint}")


def load_engine(
    spec: EngineSpec, settings: EngineSettings, *, log: Path, download: bool, meter: Meter | None = None
) -> Engine:
    """Make (not start) the engine of a tier. `log` is where a server started here writes its log."""
    return ENGINES[known_engine(spec).engine](spec, settings, log=log, download=download, meter=meter)
