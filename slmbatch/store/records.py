"""One settled result as one flat record: the shape of the journal's lines and of the parts' rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa

from slmbatch.types import Answer, Attempt, Leaf, Result, Scalar, printable

Record: TypeAlias = dict[str, Any]

ATTEMPT = pa.struct(
    {
        "tier": pa.string(),
        "label": pa.string(),
        "score": pa.float64(),
        "error_kind": pa.string(),
        "error": pa.string(),
        "truncated": pa.bool_(),
        "requests": pa.int32(),
        "input_tokens": pa.int64(),
        "cached_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "usd": pa.string(),  # a Decimal, exactly
        "seconds": pa.float64(),
        "asked": pa.list_(pa.string()),  # empty: everything
        "spared_input_tokens": pa.int64(),
        "spared_output_tokens": pa.int64(),
    }
)
BOX = pa.struct(
    {name: pa.float64() for name in ("left", "top", "right", "bottom", "width", "height")} | {"unit": pa.string()}
)
LEAF = pa.struct(
    {
        "path": pa.string(),
        "value": pa.string(),  # canonical: Decimal without exponent, ISO date, true/false
        "raw": pa.string(),
        "score": pa.float64(),
        "confidence": pa.float64(),  # a calibrated probability, or null
        "logprob_mean": pa.float64(),
        "logprob_min": pa.float64(),
        "forced_logprob": pa.float64(),
        "found": pa.string(),
        "page": pa.int32(),
        "start": pa.int32(),
        "end": pa.int32(),
        "xml_path": pa.string(),
        "box": BOX,  # of the words on the page, from the page's top left
        "ocr": pa.float64(),  # the OCR's score of the least sure word of the value, no probability
        "distance": pa.int32(),  # letters and digits in which a fuzzy place differs from the value
        "required": pa.bool_(),
        "problems": pa.list_(pa.string()),
        "repaired": pa.bool_(),
        "agreed": pa.bool_(),
        "tier": pa.string(),  # null: the row's
    }
)
PART = pa.schema(
    {
        "key": pa.binary(16),
        "status": pa.string(),
        "reason": pa.string(),
        "tier": pa.string(),
        "label": pa.string(),
        "score": pa.float64(),
        "confidence": pa.float64(),
        "mass": pa.float64(),
        "truncated": pa.bool_(),
        "characters": pa.int64(),  # of the text
        "problems": pa.list_(pa.string()),
        "warnings": pa.list_(pa.string()),
        "scores": pa.list_(pa.struct({"label": pa.string(), "score": pa.float64()})),
        "leaves": pa.list_(LEAF),
        "attempts": pa.list_(ATTEMPT),
    },
    metadata={"slmbatch.part": "5"},
)


def record(result: Result) -> Record:
    """Flatten a result. Everything but `key` is plain JSON."""
    shown = None if result.shown is None else result.attempts[result.shown]
    answer = Answer() if shown is None or shown.answer is None else shown.answer
    return {
        "key": result.key,
        "status": result.status.value,
        "reason": None if result.reason is None else printable(result.reason),
        "tier": shown.tier if shown else None,
        "label": answer.label,
        "score": answer.score,
        "confidence": answer.confidence,
        "mass": answer.mass,
        "truncated": any(attempt.truncated for attempt in result.attempts),
        "characters": result.characters,
        "problems": answer.problems,
        "warnings": [printable(one) for one in (*result.notes, *answer.warnings)],
        "scores": [{"label": label, "score": score} for label, score in answer.scores],
        "leaves": [_leaf(leaf) for leaf in answer.leaves],
        "attempts": [_attempt(attempt) for attempt in result.attempts],
    }


def _attempt(attempt: Attempt) -> Record:
    return {
        "tier": attempt.tier,
        "label": attempt.answer.label if attempt.answer else None,
        "score": attempt.answer.score if attempt.answer else None,
        "error_kind": attempt.error_kind,
        "error": None if attempt.error is None else printable(attempt.error),
        "truncated": attempt.truncated,
        "requests": attempt.requests,
        "input_tokens": attempt.usage.input_tokens,
        "cached_tokens": attempt.usage.cached_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "usd": format(attempt.usd, "f"),
        "seconds": attempt.seconds,
        "asked": list(attempt.asked),
        "spared_input_tokens": attempt.spared.input_tokens,
        "spared_output_tokens": attempt.spared.output_tokens,
    }


def _leaf(leaf: Leaf) -> Record:
    return {
        "path": leaf.path,
        "value": canonical(leaf.value),
        "raw": leaf.raw,
        "score": leaf.score,
        "confidence": leaf.confidence,
        "logprob_mean": leaf.logprob_mean,
        "logprob_min": leaf.logprob_min,
        "forced_logprob": leaf.forced_logprob,
        "found": leaf.grounding.found.value,
        "page": leaf.grounding.page,
        "start": leaf.grounding.start,
        "end": leaf.grounding.end,
        "xml_path": leaf.grounding.xml_path,
        "box": None if leaf.grounding.box is None else asdict(leaf.grounding.box),
        "ocr": leaf.grounding.ocr,
        "distance": leaf.grounding.distance,
        "required": leaf.required,
        "problems": leaf.problems,
        "repaired": leaf.repaired,
        "agreed": leaf.agreed,
        "tier": leaf.tier,
    }


def canonical(value: Scalar | None) -> str | None:
    """Write a typed value as text from which its type can be read back exactly."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date) else str(value)
