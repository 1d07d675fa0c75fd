"""What a run whose documents are of several types can't do, which tiers it has besides, how its manifest names them."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.engines.settings import EMBEDDED, TRIAGE, EngineSpec
from slmbatch.errors import ConfigError
from slmbatch.run.answers import RunTask, extractions
from slmbatch.run.calibration import question_hash
from slmbatch.tasks.triage import TriageTask


def check_tiers(task: RunTask, specs: Sequence[EngineSpec], *, promised: bool) -> None:
    """Raise ConfigError where there are several types for what is made for one: certificates and fitted heads."""
    if not isinstance(task, TriageTask):
        return
    if promised:
        raise ConfigError(
            "--target: a certificate is for documents of one type.",
            "Give one schema, or leave --target out; `type` in results.parquet says which documents are of a type.",
        )
    if any(spec.engine == EMBEDDED for spec in specs) and not any(one.schema.terms for one in task.types.values()):
        raise ConfigError(
            f"{EMBEDDED}: no schema names a business term.", "Leave it out, or see docs/schemas.md (E-invoices)."
        )
    fitted = [spec for spec in specs if spec.engine == "head"]
    if fitted:
        raise ConfigError(f"{fitted[0]}: finds the fields of one schema.", "Use rules where there are several types.")


def free_specs(task: RunTask, named: Sequence[EngineSpec]) -> list[EngineSpec]:
    """Return the tiers that go before the named ones and cost nothing: for types, and where schemas name terms."""
    terms = any(one.schema.terms for one in extractions(task).values())
    stated = terms and all(spec.engine != EMBEDDED for spec in named)
    return [EngineSpec(one, "") for one in [TRIAGE] * isinstance(task, TriageTask) + [EMBEDDED] * stated]


def hashes(task: TriageTask) -> list[str]:
    """Return each type with its schema's hash, for people who look for what differs."""
    return [f"{name} {question_hash(one)}" for name, one in task.types.items()]
