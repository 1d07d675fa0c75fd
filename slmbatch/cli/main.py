"""`slmbatch`: the verbs. Everything heavy is imported by the verb that needs it, so that --help is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from slmbatch import __version__
from slmbatch.cli import options as o
from slmbatch.cli.calibrate import calibrate_verb
from slmbatch.cli.eval import eval_verb
from slmbatch.cli.flags import Flags, with_flags
from slmbatch.cli.models import models
from slmbatch.errors import Interrupted, SlmbatchError, UsageError

if TYPE_CHECKING:
    from slmbatch.run.answers import RunTask

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Classify and extract from piles of documents with the smallest model that can be trusted.",
)
app.add_typer(models, name="models")
app.command("eval")(eval_verb)
app.command("calibrate")(calibrate_verb)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
@with_flags
def classify(
    flags: Flags, *, labels: Annotated[str, typer.Option("--labels", help="YAML file, or names separated by commas.")]
) -> None:
    """Give every document one of the labels."""
    from slmbatch.cli.verbs import run_verb

    run_verb(_task(labels, None), flags)


@app.command()
@with_flags
def extract(
    flags: Flags,
    *,
    schema: Annotated[
        list[str],
        typer.Option("--schema", help="JSON Schema, module.py:Model, or a folder: one for each type of document."),
    ],
) -> None:
    """Copy typed fields out of every document."""
    from slmbatch.cli.verbs import run_verb

    run_verb(_task(None, schema), flags)


@app.command()
@with_flags
def estimate(
    flags: Flags,
    *,
    labels: Annotated[str | None, typer.Option("--labels", help="For classify: YAML file, or names.")] = None,
    schema: Annotated[
        list[str] | None, typer.Option("--schema", help="For extract: JSON Schema, module.py:Model, or a folder.")
    ] = None,
) -> None:
    """Say what classify (with --labels) or extract (with --schema) would cost: the same as their --dry-run."""
    if (labels is None) is not bool(schema):
        raise UsageError("--labels or --schema is needed, one of them.", "Give what the run would be given.")
    from slmbatch.cli.verbs import run_verb

    run_verb(_task(labels, schema), replace(flags, dry_run=True))


def _task(labels: str | None, schemas: Sequence[str] | None) -> RunTask:
    if labels is not None:
        from slmbatch.tasks.classify import ClassifyTask
        from slmbatch.tasks.labels import load_labels

        return ClassifyTask(load_labels(labels))
    from slmbatch.tasks.schema_files import load_extraction

    return load_extraction(schemas or ())


@app.command()
def train(  # noqa: PLR0917
    inputs: Annotated[list[str], typer.Argument(help="Tables with texts and labels; with --gold, any documents.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the head, for --model head:FOLDER.")],
    labels: Annotated[str | None, typer.Option("--labels", help="Label file that the rows must fit.")] = None,
    schema: Annotated[str | None, typer.Option("--schema", help="Learn to find this schema's fields.")] = None,
    gold: Annotated[Path | None, typer.Option("--gold", help="Labels or values by id, or a results.parquet.")] = None,
    text_column: o.TextColumn = None,
    label_column: Annotated[str | None, typer.Option("--label-column", help="The label's column.")] = None,
    multi_label: Annotated[bool, typer.Option("--multi-label", help="A text may have several labels: a|b.")] = False,
    id_column: o.IdColumn = None,
    encoding: o.Encoding = "utf-8",
    attachments: o.Apart = None,
    limit: o.Limit = None,
    workers: o.Workers = None,
    embeddings: Annotated[str | None, typer.Option("--embeddings", help="Folder of another sentence model.")] = None,
    json_: o.Json = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the head that is there.")] = False,
    no_download: o.NoDownload = False,
) -> None:
    """Fit a head, which needs no language model: on labelled rows, or on documents with expected values."""
    from slmbatch.cli import train as verbs
    from slmbatch.run.train import Training

    reading = o.reading(text_column, id_column, encoding, limit, workers, attachments, fields=schema is not None)
    if schema is not None:
        card = verbs.train_on_fields(tuple(inputs), out, schema, gold, reading, overwrite=overwrite)
    else:
        training = Training(
            tuple(inputs),
            out,
            reading,
            gold=gold,
            several=multi_label,
            label_column=label_column,
            embeddings=embeddings,
            overwrite=overwrite,
            download=not no_download,
        )
        card = verbs.train_on_labels(training, labels)
    verbs.show_card(card, out, json_=json_, quiet=quiet)


@app.command()
def label(  # noqa: PLR0917
    inputs: o.Inputs,
    labels: Annotated[str, typer.Option("--labels", help="YAML file, or names separated by commas.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV or Parquet file to fill in.")],
    count: Annotated[int, typer.Option("--n", min=1, help="How many rows.")] = 50,
    model: Annotated[str, typer.Option("--model", metavar="HEAD", help="The head whose doubts count.")] = "head",
    text_column: o.TextColumn = None,
    id_column: o.IdColumn = None,
    encoding: o.Encoding = "utf-8",
    attachments: o.Apart = None,
    limit: o.Limit = None,
    workers: o.Workers = None,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
    no_download: o.NoDownload = False,
) -> None:
    """Pick the rows worth labelling next, for a person to fill in and `train` to read."""
    from slmbatch.cli.train import label_verb
    from slmbatch.run.label import Labelling
    from slmbatch.tasks.classify import ClassifyTask
    from slmbatch.tasks.labels import load_labels

    labelling = Labelling(
        inputs=tuple(inputs),
        task=ClassifyTask(load_labels(labels)),
        count=count,
        out=out,
        reading=o.reading(text_column, id_column, encoding, limit, workers, attachments),
        model=model,
        overwrite=overwrite,
        download=not no_download,
    )
    label_verb(labelling, quiet=quiet)


@app.command()
def report(  # noqa: PLR0917
    out: Annotated[Path, typer.Argument(help="Output folder of a finished run.")],
    volume: o.Volume = None,
    compare_to: o.CompareTo = None,
    price: o.Prices = None,
    html: o.Html = False,
    pages: o.Pages = None,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Print a run's report again."""
    from slmbatch.cli.report import ReportFlags, report_verb

    report_verb(out, ReportFlags(volume, compare_to, price or [], html, pages, json_))


@app.command()
def verify(
    out: Annotated[Path, typer.Argument(help="Output folder of a run with a certificate.")],
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Work a run's certificate out again from its files, asking no model; exit with 3 if anything differs."""
    from slmbatch.cli.certify import verify_verb

    verify_verb(out, json_=json_)


@app.command()
def doctor(
    model: o.Model = None,
    escalate: o.Escalate = None,
    config: o.Config = None,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Say what works on this machine; exit with 1 if a run with these tiers couldn't work."""
    from slmbatch.cli.doctor import doctor_verb

    doctor_verb(model, escalate or [], config, json_=json_)


def main() -> None:
    """Run the command line; every expected failure is one line on what happened and one on what to do."""
    # Arrow's own allocator never gives back what a run needed at most, some 30 MB. It is chosen when pyarrow is loaded.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        app()
    except SlmbatchError as error:
        _end(error, error.message, error.remedy, error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that went away
        _end(error, f"{error}.", "Mend that and run the same command again: it goes on where it stopped.", 1)
    except Exception as error:  # noqa: BLE001  (the rim: a bug of ours)
        remedy = "This is a bug. Finished rows are kept; --debug shows where it happened."
        _end(error, f"internal error: {type(error).__name__}: {error}", remedy, 1)


def _end(error: Exception, message: str, remedy: str, exit_code: int) -> NoReturn:
    if "--debug" in sys.argv:
        raise error
    typer.echo(f"slmbatch: {message}", err=True)
    if remedy:
        typer.echo(remedy, err=True)
    if isinstance(error, Interrupted):  # everything is safe on disk; don't wait for a document that is being read
        sys.stdout.flush()
        os._exit(exit_code)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
