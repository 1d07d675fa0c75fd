"""Providers' batch endpoints: half the price, an answer within a day."""

from slmbatch.engines.batches.anthropic import AnthropicBatches
from slmbatch.engines.batches.endpoint import BatchEndpoint, BatchItem, BatchState, Caller
from slmbatch.engines.batches.openai import OpenAIBatches

ENDPOINTS: dict[str, BatchEndpoint] = {"openai": OpenAIBatches(), "anthropic": AnthropicBatches()}  # by engine

__all__ = ["ENDPOINTS", "BatchEndpoint", "BatchItem", "BatchState", "Caller"]
