"""The gate: accept an attempt, or send the document up."""

from __future__ import annotations

from slmbatch.types import Answer, Leaf

# Below this pre-grammar logprob (about 1 in 20) the model wanted to write something that the grammar forbids; in
# recorded runs such values were the grammar's, not the model's.
FORCED_LOGPROB = -3.0
DEFAULT_THRESHOLD = 0.8


def refusal(answer: Answer, *, threshold: float, last: bool) -> str | None:
    """Return why this answer isn't accepted, or None when it is.

    An answer without a score (the engine tells no logprobs) is accepted only on the last tier, by its place, and only
    when no check failed. Fields that two independent sources tell need no score.
    """
    if answer.problems:
        return "; ".join(answer.problems)
    if answer.told_twice:
        return None
    if answer.score is None:
        return None if last else "no score: this engine tells no logprobs"
    if answer.score < threshold:
        return f"score {answer.score:.3f} is below {threshold:g}"
    return None


def doubtful(leaf: Leaf, *, threshold: float) -> bool:
    """Say whether a leaf isn't trusted by itself, so that the next tier is asked for it.

    Trusted is one without a failed check that is told twice, or whose own score or probability reaches the threshold.
    """
    if leaf.problems:
        return True
    return not leaf.told_twice and (leaf.measure is None or leaf.measure < threshold)
