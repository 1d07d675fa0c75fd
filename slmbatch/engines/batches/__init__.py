"""Providers' batch endpoints: half the price, an answer within a day."""

from slmbatch.engines.batches.anthropic import AnthropicBatches
from slmbatch.engines.batches.endpoint import BatchEndpoint, BatchItem, BatchState, Caller
from slmbatch.engines.batches.openai import OpenAIBatches
from slmbatch.engines.capabilities import provider_of
from slmbatch.engines.settings import EngineSpec

ENGINES: dict[str, BatchEndpoint] = {"openai": OpenAIBatches(), "anthropic": AnthropicBatches()}
PROVIDERS = frozenset({"openai", "anthropic", "groq"})  # the others' batches have formats of their own


def endpoint_of(spec: EngineSpec, *, claimed: bool) -> BatchEndpoint | None:
    """Return the batch endpoint of a tier, if it has one that we speak. `claimed`: the user says that it has."""
    provider = provider_of(spec).name if spec.engine in ENGINES else None
    return ENGINES.get(spec.engine) if provider in PROVIDERS or (claimed and provider is None) else None


__all__ = ["PROVIDERS", "BatchEndpoint", "BatchItem", "BatchState", "Caller", "endpoint_of"]
