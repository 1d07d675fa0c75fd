"""What each measure means, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.evaluate.judged import Measure

MEANING = {
    "accuracy": "rows with the right label",
    "accuracy_of_all": "in all rows, if a random sample was judged",
    "type_accuracy": "documents of the right type",
    "macro_f1": "mean F1 of the labels",
    "precision": "right among rows given this label",
    "recall": "found among rows that have this label",
    "f1": "harmonic mean of precision and recall",
    "document_accuracy": "nothing wrong, missing or too much",
    "accepted": "straight through, without review",
    "accepted_accuracy": "right among those accepted",
    "accepted_field_accuracy": "right fields in accepted documents",
    "field_accuracy": "right fields, rightly empty ones too",
    "field_precision": "right among values found",
    "field_recall": "found and right among values there are",
    "field_f1": "harmonic mean of these",
    "presence_precision": "values found where there is one",
    "presence_recall": "values there are where something was found",
    "presence_f1": "harmonic mean of these",
    "anls": "likeness as text: near misses in part",
    "item_precision": "right among list items found",
    "item_recall": "found and right among list items there are",
    "item_f1": "harmonic mean of these",
    "cell_precision": "right among values found in lists",
    "cell_recall": "found and right among those in lists",
    "cell_f1": "harmonic mean of these",
    "usd_per_right": "USD for each right answer",
    "auroc": "right answers score above wrong ones",
    "ece": "scores' distance from accuracy",
    "aurc": "share of wrong among the surest",
    "coverage_at": "share to be had at this accuracy",
    "accuracy_from": "right from this score on",
    "share_from": "share of all from this score on",
}
ORDER = {name: place for place, name in enumerate(MEANING)}


def meaning(metric: str) -> str:
    """What a measure means; those of scores are told of fields and of documents."""
    whole = {"field_": "fields: ", "document_": "documents: "}
    if metric in MEANING:
        return MEANING[metric]
    prefix = next(one for one in whole if metric.startswith(one))
    return whole[prefix] + MEANING[metric.removeprefix(prefix)]


def overall(measures: Sequence[Measure]) -> list[Measure]:
    """The measures of a whole run, without those of labels, fields and thresholds; the most telling first."""
    return sorted(
        (one for one in measures if one.name is None or one.metric.endswith("coverage_at")),
        key=lambda one: ORDER.get(one.metric, len(ORDER)),
    )


def by_name(measures: Sequence[Measure], metrics: Sequence[str]) -> dict[str, list[Measure | None]]:
    """For each label, field or threshold, its measures in this order; names that have none of them are left out."""
    found = {(one.metric, one.name): one for one in measures}
    names = dict.fromkeys(one.name for one in measures if one.metric in metrics and one.name is not None)
    return {name: [found.get((metric, name)) for metric in metrics] for name in names}


def title(one: Measure) -> str:
    """A measure's name, as --min takes it."""
    return one.metric if one.name is None else f"{one.metric}:{one.name}"


def figure(one: Measure | None) -> str:
    """A measure for reading."""
    if one is None:
        return "–"
    return f"{one.value:.6f}" if one.metric == "usd_per_right" else f"{one.value:.3f}"


def interval(one: Measure) -> str:
    """Its 95 % interval for reading."""
    if one.low is None or one.high is None:
        return "–"
    places = 6 if one.metric == "usd_per_right" else 3
    return f"{one.low:.{places}f} to {one.high:.{places}f}"


def notes(missing: Sequence[str], unjudged: int, repeated: int, not_asked: Sequence[str]) -> list[str]:
    """What of the results and the expected answers wasn't looked at."""
    told = []
    if missing:
        told.append(f"expected ids without a result: {len(missing)}, first: {missing[0]}")
    if unjudged:
        told.append(f"results without an expected answer: {unjudged}")
    if repeated:
        told.append(f"results with the id of an earlier one, left out: {repeated}")
    if not_asked:
        told.append(f"expected fields that the run's schema doesn't have, left out: {', '.join(not_asked)}")
    return told
