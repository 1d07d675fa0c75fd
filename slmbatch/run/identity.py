"""What the answers of a tier depend on: a run with another one is another question."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from slmbatch.engines.loaders import HEADS
from slmbatch.run.answers import RunTask
from slmbatch.tasks.classify import ClassifyTask

if TYPE_CHECKING:
    from slmbatch.run.plan import TierPlan


def identity(tier: TierPlan, task: RunTask) -> str:
    """A tier and those of its limits that change answers."""
    settings = tier.settings
    file = Path(tier.spec.model)
    changing = {
        "context_tokens": settings.context_tokens,
        "top_logprobs": settings.top_logprobs,
        "structure": settings.structure,
        "temperature": settings.temperature,
        "seed": settings.seed,
        "reasoning_tokens": settings.reasoning_tokens,
        "effort": settings.effort,
        "sees": settings.sees,
        "embeddings": settings.embeddings,
        "vllm_args": " ".join(settings.vllm_args) or None,
        "bytes": file.stat().st_size if tier.local and file.is_file() else None,
        "sha256": _content(tier, task),
    }
    return " ".join([tier.name, *(f"{key}={value}" for key, value in changing.items() if value is not None)])


def _content(tier: TierPlan, task: RunTask) -> str | None:
    """What a head answers by: its folder's description, which names the weights' hash, or the label file's examples."""
    if tier.spec.engine not in HEADS:
        return None
    described = Path(tier.spec.model).expanduser() / "head.json"
    if tier.spec.model:
        return sha256(described.read_bytes()).hexdigest() if described.is_file() else None
    examples = [label.examples for label in task.labels.labels] if isinstance(task, ClassifyTask) else []
    return sha256(repr(examples).encode()).hexdigest()
