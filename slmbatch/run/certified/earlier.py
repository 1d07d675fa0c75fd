"""The rows that an earlier certified run drew at random and had labelled, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.ranking import Ranking, freeze
from slmbatch.errors import ConfigError, RunFolderError
from slmbatch.run.certified.batch import read_batch
from slmbatch.run.certified.frozen import FROZEN_FILE
from slmbatch.run.certified.labels import ASKED_ON, LABELS_FILE, labelled_on, read_labels
from slmbatch.store.folder import RunFolder
from slmbatch.store.manifest import Settings, read_manifest
from slmbatch.store.table_file import write_table

EARLIER = pa.schema(
    {"id": pa.string(), "score": pa.float64(), "answer": pa.string(), "agrees": pa.bool_()},
    metadata={"slmbatch.earlier": "1"},
)
EARLIER_FILE = "earlier.parquet"  # under the certify folder of the run that reuses them
PREFIX = "earlier "  # of ids: rows of both batches can be told apart
ALIKE = ("task", "labels or schema", "tiers", "threshold", "ask_whole", "calibration", "attachments")


@dataclass(frozen=True, slots=True)
class Earlier:
    """A random sample of an earlier batch: rows as they were frozen, whether the last tier `agrees` (None: no answer).

    `asked_on` is the date of the labels, ISO 8601.
    """

    frozen: Frozen
    agrees: tuple[bool | None, ...]
    asked_on: str

    def __len__(self) -> int:
        return len(self.agrees)

    def before(self, later: Frozen) -> Frozen:
        """Return the rows of both batches, these first. None of these is a copy of another: copies go up together."""
        scores = np.concatenate([np.asarray(one.scores, np.float64) for one in (self.frozen, later)])
        answers = [*(self.frozen.answers or ()), *(later.answers or ())]
        assert later.contents is not None
        own = np.array([f"{PREFIX}{number}" for number in range(len(self))], later.contents.dtype)
        contents = np.concatenate([own, later.contents])
        return Frozen([*self.frozen.ids, *later.ids], scores.tolist(), answers, contents)

    def ranking(self, later: Frozen, seed: int) -> Ranking:
        """Return the order of the rows of both batches."""
        both = self.before(later)
        return freeze(both.ids, both.scores, seed=seed, answers=both.answers)

    def by_id(self) -> dict[str, bool | None]:
        return dict(zip(self.frozen.ids, self.agrees, strict=True))


def read_earlier(root: Path, settings: Settings) -> Earlier:
    """Read the sample of a certified run, to be reused. Raises as `like_run` does."""
    folder = like_run(root, settings, serves=True)
    path = folder.certify / LABELS_FILE
    frozen, labels = read_batch(folder.certify / FROZEN_FILE).frozen, read_labels(path)
    places = [place for place, one in enumerate(frozen.ids) if one in labels]
    answers = frozen.answers or []
    chosen = Frozen(
        [PREFIX + frozen.ids[place] for place in places],
        [float(frozen.scores[place]) for place in places],
        [answers[place] for place in places],
    )
    return Earlier(chosen, tuple(labels[frozen.ids[place]] for place in places), labelled_on(path))


def like_run(root: Path, settings: Settings, *, serves: bool = False) -> RunFolder:
    """Return the folder of a certified run. Raises RunFolderError where it has no labels, ConfigError if it's unlike.

    Like is a run of the same question and tiers, with the `settings` of tonight's. A sample that `serves` as one of
    tonight's rows must be a random one of all rows.
    """
    folder = RunFolder(root)
    found = read_manifest(folder)["settings"]
    assert isinstance(found, dict)
    if not (folder.certify / LABELS_FILE).exists():
        raise RunFolderError(
            f"{root}: has no labels that were drawn for a certificate.",
            "Give the folder of a run with --target that bought its own.",
        )
    if serves and found.get("per") == "class":
        raise ConfigError(
            f"{root}: its labels were drawn for each class, which makes them no random sample of all rows.",
            "They can plan a certificate, with --earlier; reuse those of a run without --per class.",
        )
    differing = [key for key in ALIKE if found.get(key) != settings.get(key)]
    if differing:
        raise ConfigError(
            f"{root}: its labels are about other answers; differing: {', '.join(differing)}.",
            "Labels serve a run of the same labels or schema, with the same tiers and threshold.",
        )
    return folder


def keep_earlier(path: Path, earlier: Earlier) -> None:
    """Keep the sample with the run that reuses it: its certificate rests on it."""
    layout = EARLIER.with_metadata({**(EARLIER.metadata or {}), ASKED_ON: earlier.asked_on.encode()})
    frozen = earlier.frozen
    columns = {"id": frozen.ids, "score": frozen.scores, "answer": frozen.answers, "agrees": earlier.agrees}
    write_table(path, pa.table({name: list(column or ()) for name, column in columns.items()}, layout))


def kept_earlier(path: Path) -> Earlier:
    """Read what `keep_earlier` wrote."""
    table = pq.read_table(path)
    frozen = Frozen(table["id"].to_pylist(), table["score"].to_pylist(), table["answer"].to_pylist())
    return Earlier(frozen, tuple(table["agrees"].to_pylist()), labelled_on(path))
