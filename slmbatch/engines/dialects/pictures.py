"""Pictures in the bodies of requests: how each dialect writes them, and what of a body they are."""

from __future__ import annotations

import re
from typing import Any

from slmbatch.chat import Message

JPEG = "image/jpeg"
MOST_TOKENS = 50_000
"""More than a picture of at most 1568 pixels takes with any rule known: gpt-4o-mini counts 2,833 and 5,667 for each of
at most 8 tiles (OpenAI, Images and vision)."""
# As both write them. No text can pass for one: quotes in it are escaped.
_WRITTEN = re.compile(rb'(?:"url":"data:image/jpeg;base64,|"media_type":"image/jpeg","data":")[A-Za-z0-9+/=]+"')


def chat_content(message: Message) -> str | list[dict[str, Any]]:
    """Return a message's content as OpenAI chat completions take it."""
    if not message.pictures:
        return message.content
    urls = [{"url": f"data:{JPEG};base64,{one.base64}"} for one in message.pictures]
    return [*({"type": "image_url", "image_url": url} for url in urls), {"type": "text", "text": message.content}]


def messages_content(message: Message) -> str | list[dict[str, Any]]:
    """Return a message's content as Anthropic's Messages API takes it."""
    if not message.pictures:
        return message.content
    sources = [{"type": "base64", "media_type": JPEG, "data": one.base64} for one in message.pictures]
    return [*({"type": "image", "source": source} for source in sources), {"type": "text", "text": message.content}]


def weigh(body: bytes) -> tuple[int, int]:
    """Return how many bytes of a body aren't pictures, and how many pictures there are."""
    if JPEG.encode() not in body:
        return len(body), 0
    written = [len(one[0]) for one in _WRITTEN.finditer(body)]
    return len(body) - sum(written), len(written)
