"""What a model of a provider takes and tells: looked up in capabilities.toml, overridden by the configuration file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from slmbatch.chat import Capabilities
from slmbatch.engines.settings import EngineSettings, EngineSpec

Structure: TypeAlias = Literal["schema", "object", "tool"]
UNREASONED = "none"  # the effort of a model that shall answer at once
TABLES = frozenset({"url", "key_env", "sources", "models", "unreasoned"})


@dataclass(frozen=True, slots=True)
class Model:
    """What one model takes and tells.

    `structure`: how its replies are held to a schema: by it, to some JSON object with the schema in the prompt, or by
    a tool that must be called. `temperature`, `seed`: whether these may be sent. `top_logprobs`: the most alternatives
    told, 0 where there are no logprobs. `reasoning_tokens`: room for reasoning, added to the reply's. `effort`: how
    much to reason, None as the provider does by itself. `sees`, `batch`: takes images, has a batch endpoint.
    """

    structure: Structure = "schema"
    max_tokens_field: str = "max_tokens"
    temperature: bool = True
    seed: bool = True
    top_logprobs: int = 0
    reasoning_tokens: int = 0
    effort: str | None = None
    context_tokens: int | None = None
    sees: bool | None = None
    batch: bool | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves a tier. `name` is that of the list prices too, None for a server of unknown kind."""

    name: str | None
    url: str | None
    key_env: str


def provider_of(spec: EngineSpec) -> Provider:
    """Return the provider that an engine's name or its address tells."""
    for name, table in _known().items():
        if f"{spec.url}/".startswith(f"{table['url']}/") or (spec.url is None and name == spec.engine):
            return Provider(name, table["url"], table["key_env"])
    return Provider(None, None, _data()[spec.engine]["key_env"])


def model_of(spec: EngineSpec, settings: EngineSettings) -> Model:
    """Return what is known of a tier's model, with what the configuration file says instead."""
    data = _data()
    table = data[provider_of(spec).name or {"openai": "compatible"}.get(spec.engine, spec.engine)]
    known = {key: value for key, value in table.items() if key not in TABLES}
    known |= _longest(table.get("models", {}), spec.model)
    if settings.effort == UNREASONED:
        known |= _longest(table.get("unreasoned", {}), spec.model)
    said = {one.name: getattr(settings, one.name, None) for one in fields(Model)}
    return Model(**known | {key: value for key, value in said.items() if value is not None})


def abilities(model: Model) -> Capabilities:
    """Return what a model behind a URL can do."""
    return Capabilities(
        choice=False,
        top_logprobs=model.top_logprobs,
        raw_logprobs=False,
        context_tokens=model.context_tokens,
        reasoning_tokens=model.reasoning_tokens,
        sees=bool(model.sees),
    )


def _longest(table: dict[str, dict[str, Any]], model: str) -> dict[str, Any]:
    """Return the row of the longest name that the model's name begins with."""
    names = [name for name in table if model.startswith(name)]
    return table[max(names, key=len)] if names else {}


def _known() -> dict[str, dict[str, Any]]:
    return {name: table for name, table in _data().items() if "url" in table}


@cache
def _data() -> dict[str, dict[str, Any]]:
    data = tomllib.loads(files("slmbatch.engines").joinpath("capabilities.toml").read_text(encoding="utf-8"))
    return {name: table for name, table in data.items() if isinstance(table, dict)}
