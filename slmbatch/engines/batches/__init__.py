"""Providers' batch endpoints: half the price, an answer within a day."""

from slmbatch.engines.batches.endpoint import BatchEndpoint, BatchItem, BatchState, Caller

__all__ = ["BatchEndpoint", "BatchItem", "BatchState", "Caller"]
