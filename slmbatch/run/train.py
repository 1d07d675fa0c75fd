"""From labelled rows to a head on disk, with a card that says what it is and how good it is."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from slmbatch import __version__
from slmbatch.engines.settings import EngineSettings
from slmbatch.errors import InputError, RunFolderError
from slmbatch.heads.folder import DESCRIPTION
from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.gold import read_gold
from slmbatch.run.head_tier import sentence_model
from slmbatch.tasks.labels import JOINT, OTHER, LabelSet

MIN_LABELS, FEWEST_ROWS = 2, 2


@dataclass(frozen=True, slots=True)
class Training:
    """What to train on, and where to put the head. Columns are None where they are found by name.

    `several`: a row may have several labels, joined by "|". With `gold`, `sources` are documents and tables as
    `classify` reads them, and the labels stand in `gold` by id.
    """

    sources: tuple[str, ...]
    out: Path
    reading: ReadOptions
    labels: LabelSet | None = None
    gold: Path | None = None
    several: bool = False
    label_column: str | None = None
    embeddings: str | None = None
    overwrite: bool = False
    download: bool = True


def train_labels(training: Training) -> dict[str, Any]:
    """Fit a head on labelled rows, save it, and return its card.

    Raises InputError for rows that can't be used, RunFolderError when `out` holds something already.
    """
    from slmbatch.heads.text.fitting import fit_classifier, fit_several
    from slmbatch.heads.text.text_head import save_classifier

    check_out(training.out, overwrite=training.overwrite)
    rows = labelled_rows(training)
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    embedder = sentence_model(EngineSettings(embeddings=training.embeddings), download=training.download)
    if training.several:
        classifier, quality = fit_several(texts, [split_labels(label) for label in labels], embedder)
    else:
        other = OTHER if training.labels is not None and training.labels.other else None
        classifier, quality = fit_classifier(texts, labels, embedder, other=other)
    card = {
        "made_by": f"slmbatch {__version__}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "source": ", ".join(Path(source).name for source in training.sources),
        "rows": len(texts),
        "rows_sha256": rows_hash(texts, labels),
        "cross_validated": asdict(quality),
    }
    save_classifier(training.out, classifier, embedder, card=card)
    return card


def rows_hash(texts: list[str], labels: list[str]) -> str:
    """SHA-256 over the rows, whatever their order."""
    rows = sorted(
        f"{label}\0{text}".encode("utf-8", "surrogatepass") for text, label in zip(texts, labels, strict=True)
    )
    return sha256(b"\1".join(rows)).hexdigest()


def labelled_rows(training: Training) -> list[tuple[str, str]]:
    """Read texts and labels; rows without a label are left out, the same text with the same label counts once."""
    pairs = _from_tables(training) if training.gold is None else _from_documents(training, training.gold)
    rows = dict.fromkeys(
        (text, label.strip()) for text, label in pairs if text and text.strip() and label and label.strip()
    )
    counted = Counter(one for _, label in rows for one in (split_labels(label) if training.several else [label]))
    _check(training, counted)
    return list(rows)


def split_labels(joined: str) -> frozenset[str]:
    """Return the labels of a row that may have several; OTHER stands for none."""
    return frozenset(label.strip() for label in joined.split(JOINT) if label.strip()) - {OTHER}


def _from_tables(training: Training) -> Iterator[tuple[str | None, str | None]]:
    for source in map(Path, training.sources):
        table = _read(source)
        text_column = _column(table, training.reading.text_column, "text", source)
        label_column = _column(table, training.label_column, "label", source)
        column = pl.col(label_column)
        if isinstance(table.schema[label_column], pl.List):
            column = (
                pl.when(column.list.len() > 0)
                .then(column.cast(pl.List(pl.String)).list.join(JOINT))
                .otherwise(pl.lit(OTHER))
            )
        yield from table.select(pl.col(text_column).cast(pl.String), column.cast(pl.String)).iter_rows()


def _from_documents(training: Training, gold: Path) -> Iterator[tuple[str | None, str | None]]:
    labels = read_gold(gold)
    for batch in read(find(training.sources), training.reading):
        for document in batch:
            label = labels.get(document.id)
            if document.problem is None and isinstance(label, str):
                yield document.text, label


def check_out(out: Path, *, overwrite: bool) -> None:
    """Raise RunFolderError when `out` holds anything but a head that may be replaced."""
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    head = (out / DESCRIPTION).is_file()
    if taken and not (head and overwrite):
        remedy = "Pass --overwrite to replace it." if head else "Give a new folder."
        raise RunFolderError(f"{out}: there is {'a head' if head else 'something'} already.", remedy)


def _read(path: Path) -> pl.DataFrame:
    try:
        match path.suffix.lower():
            case ".parquet":
                return pl.read_parquet(path)
            case ".jsonl" | ".ndjson":
                return pl.read_ndjson(path)
        return pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        remedy = "Give a Parquet, CSV or JSONL file with one row for each text: its text and its label."
        raise InputError(f"{path}: can't be read as labelled rows: {error}", remedy) from error


def _column(table: pl.DataFrame, chosen: str | None, usual: str, source: Path) -> str:
    name = chosen or usual
    if name in table.columns:
        return name
    remedy = f"Name it with --{usual}-column. The file has: {', '.join(table.columns)}."
    raise InputError(f"{source}: there is no column {name!r}.", remedy)


def _check(training: Training, counted: Counter[str]) -> None:
    where = training.gold or ", ".join(training.sources)
    known = None if training.labels is None else training.labels.names
    for label in counted:
        if known is not None and label not in known:
            remedy = "Correct it there, or add the label to the label file."
            raise InputError(f"{where}: {counted[label]} rows have the unknown label {label!r}.", remedy)
    wanted = {name for name in known or counted if name != OTHER}
    for label in sorted(wanted):
        if counted[label] < FEWEST_ROWS:
            remedy = f"Give each label at least {FEWEST_ROWS} different texts, better 8, or leave the label out."
            raise InputError(f"{where}: label {label!r} has {counted[label]} rows.", remedy)
    if len(wanted) < MIN_LABELS:
        raise InputError(f"{where}: rows of {len(wanted)} labels.", "Give rows of at least two labels.")
