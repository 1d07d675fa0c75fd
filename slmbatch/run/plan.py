"""What a run will do, decided and checked before the first document is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from slmbatch.confidence.gate import DEFAULT_THRESHOLD
from slmbatch.engines.batches import endpoint_of
from slmbatch.engines.capabilities import model_of
from slmbatch.engines.loaders import LOCAL, known_engine
from slmbatch.engines.settings import EMBEDDED, TRIAGE, EngineSettings, EngineSpec, parse_spec
from slmbatch.errors import ConfigError
from slmbatch.money.prices import Price, Rates
from slmbatch.readers import Found, ReadOptions, find
from slmbatch.run.answers import RunTask, extractions
from slmbatch.run.calibration import NO_CURVES, Curves, load_curves, question_hash
from slmbatch.run.checked import compile_rules
from slmbatch.run.config import ABROAD, ConfigFile, TierTable
from slmbatch.run.identity import identity
from slmbatch.run.pricing import batch_price, parse_prices, price_remedy, tier_price
from slmbatch.run.promise import Promise, check_promise
from slmbatch.run.several_types import check_tiers, free_specs, hashes
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.schema import Schema
from slmbatch.tasks.triage import TriageTask

SECRETS = re.compile(r"--(api|hf)[-_](key|token)\b")  # among the arguments of vLLM
DEFAULT_MODELS = {"classify": "head", "extract": "rules"}


@dataclass(frozen=True, slots=True)
class TierPlan:
    """One rung: what to load, under which limits, at which price."""

    spec: EngineSpec
    settings: EngineSettings
    price: Price
    batch_price: Price | None = None  # through its provider's batch endpoint, None where we speak none

    def __str__(self) -> str:
        return self.name

    @property
    def batched(self) -> bool:
        return bool(self.settings.batch)

    @property
    def metered(self) -> bool:
        """Whether its requests go through the ledger: each costs money, or lies at a provider between sessions."""
        return self.price.paid or self.batched

    @property
    def price_source(self) -> str:
        if self.batch_price is None or not self.batched:
            return self.price.described
        return f"{self.batch_price.described}; asked online: {self.price.described}"

    @property
    def name(self) -> str:
        return str(self.spec)

    @property
    def embedded(self) -> bool:
        """Whether it answers from e-invoices, and so only documents that carry one."""
        return self.spec.engine == EMBEDDED

    @property
    def sorts(self) -> bool:
        """Whether it only tells the documents' types, for the tiers after it."""
        return self.spec.engine == TRIAGE

    @property
    def sees(self) -> bool:
        """Whether it's shown pages whose text the OCR is mostly unsure of."""
        return self.spec.engine in ABROAD and bool(model_of(self.spec, self.settings).sees)

    @property
    def local(self) -> bool:
        return self.spec.engine in LOCAL


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose on the command line; None where the configuration file or the default decides."""

    inputs: tuple[str, ...]
    out: Path
    model: str | None = None
    escalate: tuple[str, ...] = ()
    threshold: float | None = None
    max_usd: Decimal | None = None
    prices: tuple[str, ...] = ()
    batch: bool = False
    batch_wait_h: float | None = None
    vllm_args: tuple[str, ...] = ()
    promise: Promise | None = None
    calibration: Path | None = None
    overwrite: bool = False
    retry_failed: bool = False
    download: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the loop needs to know."""

    task: RunTask
    choices: Choices
    found: Found
    reading: ReadOptions
    tiers: tuple[TierPlan, ...]
    threshold: float
    max_usd: Decimal | None = None
    curves: Curves = NO_CURVES

    @property
    def schema(self) -> Schema | None:
        """What is extracted, None where the task is to classify."""
        return None if isinstance(self.task, ClassifyTask) else self.task.schema

    def settings(self) -> dict[str, str | list[str]]:
        """Return what the answers depend on: the manifest's content."""
        promise = self.choices.promise
        promised = {} if promise is None else promise.settings()
        return {
            "task": self.task.name,
            "labels or schema": question_hash(self.task),
            **({"types": hashes(self.task)} if isinstance(self.task, TriageTask) else {}),
            "inputs": [str(Path(one).resolve()) for one in self.choices.inputs],
            "text_column": self.reading.text_column or "",
            "id_column": self.reading.id_column or "",
            "encoding": self.reading.encoding,
            "attachments": self.reading.attachments,
            "tiers": [identity(tier, self.task) for tier in self.tiers],
            "threshold": repr(self.threshold),
            **({} if isinstance(self.task, ClassifyTask) else {"ask_whole": str(self.choices.whole)}),
            **promised,
            **({"calibration": self.curves.sha256} if self.curves.tiers else {}),
        }


@dataclass(frozen=True, slots=True)
class Batching:
    """Whether all tiers that can are asked through batch endpoints, and for how many hours at most."""

    all: bool = False
    wait_h: float | None = None


NO_BATCHES = Batching()


def make_plan(task: RunTask, choices: Choices, config: ConfigFile, reading: ReadOptions) -> Plan:
    """Decide on tiers and inputs. Raises UsageError for anything that can't work."""
    threshold = choices.threshold if choices.threshold is not None else config.threshold
    if choices.whole and isinstance(task, ClassifyTask):
        raise ConfigError("--ask-whole: labels have no fields.", "It belongs to extract; leave it out.")
    for one in extractions(task).values():
        compile_rules(one)  # a wrong rule is said before anything is asked
    tiers = plan_tiers(
        choices.model,
        choices.escalate,
        config,
        default=DEFAULT_MODELS[task.name],
        prices=parse_prices(choices.prices),
        batching=Batching(choices.batch, choices.batch_wait_h),
        vllm_args=choices.vllm_args,
    )
    if choices.batch and not any(tier.batched for tier in tiers):
        raise ConfigError(
            "--batch: no tier is known to have a batch endpoint.",
            "OpenAI, Anthropic and Groq have one. If another server has one like theirs, say `batch = true` in its "
            "table of the configuration file.",
        )
    if choices.batch_wait_h is not None and not any(tier.batched for tier in tiers):
        raise ConfigError("--batch-wait: no tier is asked in batches.", "Add --batch, or leave it out.")
    for tier in tiers:
        if not tier.price.known:
            raise ConfigError(f"{tier.name}: no price is known for this model.", price_remedy(tier.name))
    specs = [tier.spec for tier in tiers]
    check_tiers(task, specs, promised=choices.promise is not None)
    if choices.promise is not None:
        check_promise(choices.promise, task.name, tiers=len(tiers))
    before = [TierPlan(one, EngineSettings(), tier_price(one, TierTable(), {})) for one in free_specs(task, specs)]
    return Plan(
        task=task,
        choices=choices,
        found=find(choices.inputs),
        reading=replace(reading, pictures=any(tier.sees for tier in tiers)),
        tiers=(*before, *tiers),
        threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
        max_usd=choices.max_usd or config.max_usd,
        curves=load_curves(choices.calibration, task, tiers),
    )


def blind(tier: TierPlan) -> bool:
    """Whether a tier tells no logprobs, so that its answers have no score and are accepted on the last tier only."""
    return tier.spec.engine in {"openai", "anthropic"} and not model_of(tier.spec, tier.settings).top_logprobs


def plan_tiers(
    model: str | None,
    escalate: Sequence[str],
    config: ConfigFile,
    *,
    default: str,
    prices: Mapping[str, Rates] | None = None,
    batching: Batching = NO_BATCHES,
    vllm_args: Sequence[str] = (),
) -> tuple[TierPlan, ...]:
    """Return the tiers in order: flags first, then the configuration file, then the default.

    `vllm_args` come after those of the configuration file, for every vLLM server that the run starts.
    """
    first = model or config.model or default
    tables = {str(parse_spec(name)): table for name, table in config.tier.items()}
    tiers: list[TierPlan] = []
    for text in [first, *(escalate or config.escalate)]:
        spec = known_engine(parse_spec(text))
        if any(tier.spec == spec for tier in tiers):
            raise ConfigError(f"{spec} is named twice.", "Name each tier once, cheapest first.")
        table = tables.get(str(spec), TierTable())
        settings = table.settings()
        if spec.engine == "vllm":
            settings = replace(settings, vllm_args=(*settings.vllm_args, *vllm_args))
        tier = TierPlan(spec, settings, tier_price(spec, table, prices or {}))
        tiers.append(_batched(tier, table, batching))
    secret = [one.partition("=")[0] for tier in tiers for one in tier.settings.vllm_args if SECRETS.match(one)]
    if secret:
        raise ConfigError(
            f"{secret[0]}: a secret doesn't belong into arguments or files.",
            "The server's key is made up for each run; a token for Hugging Face is read from HF_TOKEN.",
        )
    unused = [name for name in prices or {} if name not in {tier.name for tier in tiers}]
    if unused:
        raise ConfigError(f"--price {unused[0]}: this run has no such tier.", f"It has {', '.join(map(str, tiers))}.")
    if vllm_args and not any(tier.spec.engine == "vllm" and tier.spec.url is None for tier in tiers):
        raise ConfigError("--vllm-arg is given, but this run starts no vLLM server.", "Name a tier vllm:MODEL.")
    return tuple(tiers)


def _batched(tier: TierPlan, table: TierTable, batching: Batching) -> TierPlan:
    """Have a tier asked in batches where that was asked for: of every tier that can, or of this one."""
    possible = endpoint_of(tier.spec) is not None
    if not possible:
        if table.batch:
            raise ConfigError(f"{tier.name}: has no batch endpoint that we speak.", "Remove `batch` from its table.")
        return tier
    wanted = table.batch if table.batch is not None else batching.all and model_of(tier.spec, tier.settings).batch
    settings = replace(tier.settings, batch=bool(wanted), batch_wait_h=batching.wait_h or table.batch_wait_h)
    return replace(tier, settings=settings, batch_price=batch_price(tier.spec, table, tier.price))
