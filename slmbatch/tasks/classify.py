"""The classify task: its prompt, the reply's shape, and reading the label back.

Asked as small models answer best: label names rather than letters (letters lose to position bias), the list in the
fixed part so that it is cached once, the text last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from slmbatch.chat import Capabilities, Choice, JsonShape, Message, Request, Shape
from slmbatch.tasks.labels import LabelSet, codes

PROMPT_VERSION = "classify-1"
REPLY_TOKENS_MARGIN = 8
BYTES_PER_TOKEN = 2  # of a label name, at worst in practice: bounds the reply


@dataclass(frozen=True)
class ClassifyTask:
    """Which one of the labels fits the document?"""

    labels: LabelSet
    name: str = field(default="classify", init=False)

    @cached_property
    def fingerprint(self) -> str:
        """What an answer depends on besides the document and the model."""
        listed = [[label.name, label.description] for label in self.labels.labels]
        return json.dumps([PROMPT_VERSION, listed, self.labels.other], ensure_ascii=False)

    @cached_property
    def instructions(self) -> str:
        """The fixed part of the prompt."""
        lines = [f"- {label.name}: {label.description}" if label.description else f"- {label.name}"
                 for label in self.labels.labels]  # fmt: skip
        if self.labels.other:
            lines.append(f"- {self.labels.names[-1]}: when no other label fits")
        return (
            "You sort texts into classes. Read the text and answer with the name of the one class that fits it best, "
            "and nothing else.\n\nClasses:\n" + "\n".join(lines)
        )

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """Code by label name, for engines that can be held to literal alternatives."""
        return dict(zip(self.labels.names, codes(self.labels.names), strict=True))

    @cached_property
    def _by_reply(self) -> Mapping[str, str]:
        return {code: name for name, code in self.codes.items()} | {name: name for name in self.labels.names}

    @cached_property
    def _json_shape(self) -> JsonShape:
        schema = {
            "type": "object",
            "properties": {"label": {"type": "string", "enum": list(self.labels.names)}},
            "required": ["label"],
            "additionalProperties": False,
        }
        return JsonShape("label", json.dumps(schema, ensure_ascii=False))

    @cached_property
    def _choice(self) -> Choice:
        return Choice(tuple(self.codes.values()))

    def shape(self, capabilities: Capabilities) -> Shape:
        return self._choice if capabilities.choice else self._json_shape

    @cached_property
    def max_tokens(self) -> int:
        longest = max(len(name.encode()) for name in self.labels.names)
        return REPLY_TOKENS_MARGIN + longest // BYTES_PER_TOKEN + len('{"label": ""}')

    def request(self, text: str, capabilities: Capabilities) -> Request:
        messages = (Message("system", self.instructions), Message("user", f"Text: {text}"))
        return Request(messages, self.shape(capabilities), self.max_tokens, capabilities.top_logprobs)

    def parse(self, reply: str) -> str | None:
        """Return the label that a reply names, or None when it names none."""
        text = reply.strip()
        if text.startswith("{"):
            try:
                text = str(json.loads(text).get("label"))
            except ValueError:
                return None
        return self._by_reply.get(text)
