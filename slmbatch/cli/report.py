"""What `slmbatch report` does: a finished run's figures again, and what they'd be elsewhere or for a month's rows."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from slmbatch.engines.loaders import known_engine
from slmbatch.engines.settings import parse_spec
from slmbatch.errors import ConfigError
from slmbatch.money.prices import Price
from slmbatch.report.bill import compared, projected, unfinished
from slmbatch.report.compare import compare
from slmbatch.report.marked import sheets
from slmbatch.report.page import write_page
from slmbatch.report.summary import Summary, read_summary
from slmbatch.report.text import as_text
from slmbatch.report.unshown import unshown
from slmbatch.run.config import TierTable
from slmbatch.run.pricing import parse_prices, tier_price
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import part_paths


@dataclass(frozen=True, slots=True)
class ReportFlags:
    """The options of `slmbatch report`, as given."""

    volume: int | None
    compare_to: str | None
    price: Sequence[str]
    html: bool
    pages: int | None
    json_: bool


def report_verb(out: Path, flags: ReportFlags) -> None:
    """Print the report of a finished run, with what another tier or a month's rows would cost."""
    summary = read_summary(out)
    if flags.compare_to is not None:
        summary = _compared(summary, out, flags.compare_to, flags.price)
    why = unfinished(summary)
    if flags.volume is not None and why is None:
        summary = projected(summary, flags.volume)
    elif flags.volume is not None:
        typer.echo(f"No projection: {why}.", err=True)
    shown = without = None
    if flags.pages is not None:
        without = unshown(out)
        shown = sheets(out, flags.pages, threshold=summary["threshold"], read_at=_began(summary))
    if flags.html or shown is not None:
        typer.echo(write_page(out, summary, shown, without), err=True)
    typer.echo(json.dumps(summary, indent=2, ensure_ascii=False) if flags.json_ else as_text(summary))


def _began(summary: Summary) -> float:
    """When the run's last session had begun to read its input, in Unix time; endless where that isn't known."""
    sessions = summary["plots"]["sessions"]
    in_whole_s = 1.0
    return dt.datetime.fromisoformat(sessions[-1]["started_at"]).timestamp() + in_whole_s if sessions else math.inf


def _compared(summary: Summary, out: Path, tier: str, prices: Sequence[str]) -> Summary:
    spec = known_engine(parse_spec(tier))
    price = _price(str(spec), tier_price(spec, TierTable(), parse_prices(prices)))
    instructions = summary["instruction_characters"]
    found = compare(part_paths(RunFolder(out).parts), str(spec), price, instructions=instructions)
    return compared(summary, found)


def _price(tier: str, price: Price) -> Price:
    if not price.paid:
        raise ConfigError(
            f"{tier}: no price by the token is known for this model.",
            f"Give --price {tier}=INPUT/OUTPUT in USD per million tokens, or compare with a listed model.",
        )
    return price
