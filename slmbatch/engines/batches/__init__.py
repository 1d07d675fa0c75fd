"""Providers' batch endpoints: a lower price, an answer within a day."""

from slmbatch.engines.batches.anthropic import AnthropicBatches
from slmbatch.engines.batches.endpoint import BatchEndpoint, BatchItem, BatchState, Caller
from slmbatch.engines.batches.openai import OpenAIBatches
from slmbatch.engines.capabilities import provider_of
from slmbatch.engines.settings import EngineSpec

ENGINES: dict[str, BatchEndpoint] = {"openai": OpenAIBatches(), "anthropic": AnthropicBatches()}
OTHER_FORMATS = frozenset({"google", "mistral", "x-ai"})  # providers whose batches are not like OpenAI's


def endpoint_of(spec: EngineSpec) -> BatchEndpoint | None:
    """Return the batch endpoint that a tier has if it has one, None where its format isn't one that we speak."""
    if spec.engine not in ENGINES or provider_of(spec).name in OTHER_FORMATS:
        return None
    return ENGINES[spec.engine]


__all__ = ["BatchEndpoint", "BatchItem", "BatchState", "Caller", "endpoint_of"]
