"""The gate: accept an attempt, or send the document up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slmbatch.types import Answer, Leaf

# Below this pre-grammar logprob (about 1 in 20) the model wanted to write something that the grammar forbids; in
# recorded runs such values were the grammar's, not the model's.
FORCED_LOGPROB = -3.0
UNSURE_OCR = 0.5
"""A value in a word that the OCR gives a lower score isn't accepted. See benchmarks/README.md for what that catches."""
DEFAULT_THRESHOLD = 0.8
SHARE_OF_DOUBT = 0.5  # of what the threshold allows, for fields that aren't asked about again


def refusal(answer: Answer, *, threshold: float, last: bool) -> str | None:
    """Return why this answer isn't accepted, or None when it is.

    An answer without a score (the engine tells no logprobs) is accepted only on the last tier, by its place, and only
    when no check failed. Fields that two independent sources tell need no score. A calibrated answer
    is accepted by its confidence.
    """
    if answer.problems:
        return "; ".join(answer.problems)
    if told_twice(answer.leaves):
        return None
    if answer.score is None:
        return None if last else "no score: this engine tells no logprobs"
    if answer.calibrated and answer.confidence is not None:
        low = answer.confidence < threshold
        return f"confidence {answer.confidence:.3f} is below {threshold:g}" if low else None
    if answer.score < threshold:
        return f"score {answer.score:.3f} is below {threshold:g}"
    return None


def asked_below(threshold: float) -> float:
    """Return the score up to which a field is asked about again in a document that goes up: more than the threshold.

    Where one field is doubtful the others are wrong more often too, and one more costs little once the text is sent
    (benchmarks/by_field.py says what that is worth).
    """
    return 1 - SHARE_OF_DOUBT * (1 - threshold)


def doubtful(leaf: Leaf, *, threshold: float) -> bool:
    """Say whether a leaf isn't trusted by itself, so that the next tier is asked for it.

    Trusted is one without a failed check that is told twice, or whose own score or probability reaches the threshold.
    """
    if leaf.problems:
        return True
    sure = leaf.score if leaf.confidence is None else leaf.confidence  # both: it was calibrated
    return not leaf.told_twice and (sure is None or sure < threshold)


def measure(leaf: Leaf) -> float | None:
    """How sure a leaf's tier is of it: the score, or the probability of one that was found by rules or a head."""
    return leaf.confidence if leaf.score is None else leaf.score


def counting(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Return the leaves that a document's acceptance rests on.

    These are the required ones; without required ones those that have a value; else all.
    """
    for chosen in ([leaf for leaf in leaves if leaf.required], [leaf for leaf in leaves if leaf.value is not None]):
        if chosen:
            return chosen
    return list(leaves)


def least(leaves: Sequence[Leaf], of: Callable[[Leaf], float | None]) -> float | None:
    """Return the least of the leaves that count, None where one of these has nothing."""
    chosen = [of(leaf) for leaf in counting(leaves)]
    known = [one for one in chosen if one is not None]
    return min(known, default=None) if len(known) == len(chosen) else None


def told_once(leaves: Sequence[Leaf]) -> Sequence[Leaf]:
    """Return the leaves that need a score: those that one source alone tells, or all where two tell what counts."""
    return leaves if told_twice(leaves) else [leaf for leaf in leaves if not leaf.told_twice]


def told_twice(leaves: Sequence[Leaf]) -> bool:
    """Whether two sources tell each required leaf, or each that has a value where none is required."""
    decisive = [leaf for leaf in counting(leaves) if leaf.required or leaf.value is not None]
    return bool(decisive) and all(leaf.told_twice for leaf in decisive)
