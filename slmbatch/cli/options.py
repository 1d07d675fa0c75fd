"""The options that several verbs share, declared once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slmbatch.errors import UsageError

if TYPE_CHECKING:
    from slmbatch.readers import ReadOptions

Inputs = Annotated[list[str], typer.Argument(help="Files, folders or globs: tables, texts, HTML, mail, PDF, Office.")]
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
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help="What `calibrate` wrote: scores become probabilities.")
]
MaxUsd = Annotated[str | None, typer.Option("--max-usd", metavar="USD", help="Never spend more on this run.")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="SHARE", help="Certify that so much is as the last tier would say: 0.95."),
]
Delta = Annotated[str, typer.Option("--delta", metavar="SHARE", help="How probably a certificate may be wrong.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides which rows a certificate's sample takes.")]
Earlier = Annotated[
    list[Path] | None,
    typer.Option("--earlier", metavar="RUN", help="Plan a certificate by labels of this certified run; repeat it."),
]
Reuse = Annotated[
    Path | None,
    typer.Option("--reuse", metavar="RUN", help="Certify by labels of this certified run, if rows are alike."),
]
LeaveOut = Annotated[
    bool, typer.Option("--leave-out", help="Don't ask tiers that, by runs of --earlier, cost more than they save.")
]
Per = Annotated[
    str | None,
    typer.Option("--per", metavar="class|field", help="Certify each class or each field, with delta for all together."),
]
AskTwice = Annotated[
    int | None,
    typer.Option("--ask-twice", min=1, metavar="N", help="Ask the last tier again about N labelled rows: its noise."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Buy a certificate's labels without asking first.")]
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
Pages = Annotated[
    int | None,
    typer.Option("--pages", min=1, metavar="N", help="Write report.html with the pages of N documents, fields marked."),
]
VllmArgs = Annotated[
    list[str] | None,
    typer.Option("--vllm-arg", metavar="ARG", help="One more argument of `vllm serve`, as --vllm-arg=--dtype=float16."),
]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="The text's column in tables.")]
IdColumn = Annotated[str | None, typer.Option("--id-column", help="The id's column in tables.")]
Encoding = Annotated[str, typer.Option("--encoding", help="Encoding of texts without a byte order mark.")]
Apart = Annotated[
    str | None,
    typer.Option(
        "--attachments",
        metavar="inside|apart",
        help="Mails' attachments: in their text, or documents of their own.",
    ),
]
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
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that read PDF, Office, mail and zip.")]


def reading(
    text_column: str | None,
    id_column: str | None,
    encoding: str,
    limit: int | None,
    workers: int | None,
    attachments: str | None,
    *,
    fields: bool = False,
) -> ReadOptions:
    """Return how to read the input, as the options say.

    Where `fields` are looked for, attachments are documents of their own unless the user says otherwise: an invoice is
    one, the mail it came with another. A label is given to the mail with all that belongs to it.
    """
    from slmbatch.readers import ReadOptions

    if attachments not in {None, "inside", "apart"}:
        raise UsageError(f"--attachments {attachments}: no such choice.", "Use inside or apart.")
    apart = fields if attachments is None else attachments == "apart"
    options = ReadOptions(
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        limit=limit,
        attachments="apart" if apart else "inside",
    )
    return options if workers is None else replace(options, workers=workers)
