"""The options that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from slmbatch.readers import ReadOptions

Inputs = Annotated[list[str], typer.Argument(help="Files, folders or globs: tables, texts, HTML, mail, PDF.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder; the same folder again resumes.")]
Model = Annotated[str | None, typer.Option("--model", metavar="ENGINE:MODEL", help="First tier.")]
Escalate = Annotated[
    list[str] | None,
    typer.Option("--escalate", metavar="ENGINE:MODEL", help="Next tier for doubtful rows; repeat it, in order."),
]
AskWhole = Annotated[
    bool, typer.Option("--ask-whole", help="With extract: ask the next tier for all fields, not only doubtful ones.")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with tiers, prices, limits; flags win.")]
Threshold = Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Accept from this score on.")]
MaxUsd = Annotated[str | None, typer.Option("--max-usd", metavar="USD", help="Never spend more on this run.")]
Prices = Annotated[
    list[str] | None,
    typer.Option("--price", metavar="TIER=IN/OUT", help="USD per million tokens of a tier; =0 for your own server."),
]
Batch = Annotated[bool, typer.Option("--batch", help="Ask API tiers through their batch endpoints: cheaper, slower.")]
BatchWait = Annotated[
    float | None,
    typer.Option("--batch-wait", metavar="HOURS", min=0.01, help="Ask online what batches leave after so long."),
]
Volume = Annotated[int | None, typer.Option("--volume", min=1, help="What so many rows a month would cost.")]
CompareTo = Annotated[
    str | None, typer.Option("--compare-to", metavar="ENGINE:MODEL", help="What this tier alone would have cost.")
]
Html = Annotated[bool, typer.Option("--html", help="Write report.html again, with what the other options add.")]
VllmArgs = Annotated[
    list[str] | None,
    typer.Option("--vllm-arg", metavar="ARG", help="One more argument of `vllm serve`, as --vllm-arg=--dtype=float16."),
]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="The text's column in tables.")]
IdColumn = Annotated[str | None, typer.Option("--id-column", help="The id's column in tables.")]
Encoding = Annotated[str, typer.Option("--encoding", help="Encoding of texts without a byte order mark.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Stop after so many documents.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read everything, ask nothing, say what it would cost.")]
Pilot = Annotated[
    int | None,
    typer.Option("--pilot", min=2, metavar="N", help="With --dry-run: run N random rows, to know what the rest costs."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 unless every row was accepted.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start over in a folder that holds another run.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask again about rows that failed earlier.")]
NoDownload = Annotated[bool, typer.Option("--no-download", help="Never fetch a model.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that read PDF and mail.")]


def reading(
    text_column: str | None, id_column: str | None, encoding: str, limit: int | None, workers: int | None
) -> ReadOptions:
    """Return how to read the input, as the options say."""
    from slmbatch.readers import ReadOptions

    chosen = {} if workers is None else {"workers": workers}
    return ReadOptions(text_column=text_column, id_column=id_column, encoding=encoding, limit=limit, **chosen)
