"""A finished run against expected answers: how right it is, how far its scores can be trusted, whether it got worse."""

from slmbatch.evaluate.values import same

__all__ = ["same"]
