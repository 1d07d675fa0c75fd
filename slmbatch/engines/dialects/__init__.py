"""How servers differ: one object for each family of them, all used through the same seam."""

from slmbatch.engines.dialects.chat import COMPATIBLE, LLAMACPP, OPENAI, VLLM, ChatDialect
from slmbatch.engines.dialects.dialect import Dialect, Encoder
from slmbatch.engines.dialects.messages import MessagesDialect

__all__ = ["COMPATIBLE", "LLAMACPP", "OPENAI", "VLLM", "ChatDialect", "Dialect", "Encoder", "MessagesDialect"]
