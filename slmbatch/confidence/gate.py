"""The gate: accept an attempt, or send the document up."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.types import Answer, Leaf

# Below this pre-grammar logprob (about 1 in 20) the model wanted to write something that the grammar forbids; in
# recorded runs such values were the grammar's, not the model's.
FORCED_LOGPROB = -3.0
UNSURE_OCR = 0.5
"""A value in a word that the OCR gives a lower score isn't accepted. See benchmarks/README.md for what that catches."""
DEFAULT_THRESHOLD = 0.8


def refusal(answer: Answer, *, threshold: float, last: bool) -> str | None:
    """Return why this answer isn't accepted, or None when it is.

    An answer without a score (the engine tells no logprobs) is accepted only on the last tier, by its place, and only
    when no check failed. Where there is a confidence, the threshold is one for it.
    """
    if answer.problems:
        return "; ".join(answer.problems)
    if answer.score is None:
        return None if last else "no score: this engine tells no logprobs"
    if answer.confidence is not None and answer.confidence != answer.score:  # calibrated on rows with known answers
        low = answer.confidence < threshold
        return f"confidence {answer.confidence:.3f} is below {threshold:g}" if low else None
    if answer.score < threshold:
        return f"score {answer.score:.3f} is below {threshold:g}"
    return None


def counting(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Return the leaves that a document's acceptance rests on.

    These are the required ones; without required ones those that have a value; else all.
    """
    for chosen in ([leaf for leaf in leaves if leaf.required], [leaf for leaf in leaves if leaf.value is not None]):
        if chosen:
            return chosen
    return list(leaves)
