"""certificate.json and its proof: everything it rests on is in the run's folder, and is worked out again from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.certificates.certificate import Certificate, Difference
from slmbatch.certificates.certificate import verify as verify_counts
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.noise import Noise
from slmbatch.certificates.parts import keeps
from slmbatch.certificates.several import Certificates, read_any, verify_all
from slmbatch.errors import RunFolderError
from slmbatch.run.certified.batch import Batch, read_batch
from slmbatch.run.certified.compose import compose
from slmbatch.run.certified.earlier import EARLIER_FILE, kept_earlier
from slmbatch.run.certified.frozen import BY_FIELD_FILE, FROZEN_FILE, Kinds, kinds_of, write_by_field, write_frozen
from slmbatch.run.certified.labels import LABELS_FILE, agreed_by_part, labelled_on, labels_of, topped_rows
from slmbatch.run.certified.ranker import RANKING_FILE, read_ranker, scored_by
from slmbatch.run.certified.twice import noise
from slmbatch.store.folder import CERTIFICATE, RunFolder, write_durably
from slmbatch.store.parts import KeyIndex, part_paths, whole_keys
from slmbatch.store.tables import build_tables
from slmbatch.tasks.schema import Schema, compile_schema

SCHEMA_FILE = "schema.json"  # under the run's certify folder: what the tables are built by
REFUSAL_FILE = "refused.json"  # there too: why there's no certificate
ASKED_TWICE = "asked_twice"  # beside the certificate, in its file and in the report
TABLES = ("results.parquet", "fields.parquet")


def write_proof(
    folder: RunFolder, certificate: Certificate | Certificates, schema: Schema | None, noise: Noise | None
) -> None:
    """Write certificate.json: what is certified, the top tier's noise if measured, and every file's SHA-256."""
    (folder.certify / REFUSAL_FILE).unlink(missing_ok=True)
    if schema is not None:
        write_durably(folder.certify / SCHEMA_FILE, json.dumps({"name": schema.name, "source": schema.source}).encode())
    besides = {} if noise is None else {ASKED_TWICE: noise.facts()}
    write_durably(folder.root / CERTIFICATE, certificate.to_json(**besides, files=sha256_of_files(folder)))


def asked_twice(folder: RunFolder) -> dict[str, Any] | None:
    """Return what certificate.json says of the top tier's noise, None where that wasn't measured."""
    told: dict[str, Any] | None = json.loads((folder.root / CERTIFICATE).read_bytes()).get(ASKED_TWICE)
    return told


def verify(folder: RunFolder) -> tuple[Certificate | Certificates, list[Difference]]:
    """Work a run's certificate out again from its files, asking no model; returns what differs.

    Raises RunFolderError when there is no certificate, InputError when it isn't one.
    """
    path = folder.root / CERTIFICATE
    if not path.exists():
        raise _none(folder)
    text = path.read_bytes()
    certificate = read_any(text, name=str(path))
    files = json.loads(text).get("files")
    differing = list(_changed(folder, files if isinstance(files, dict) else {}))
    try:
        differing += _recomputed(folder, certificate)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        differing.append(Difference("files", "complete", f"{type(error).__name__}: {error}"))
    return certificate, differing


def save_refusal(folder: RunFolder, refusal: Refusal) -> None:
    """Write down why there is no certificate, whatever becomes of the run; a budget that ended is no further reason."""
    (folder.root / CERTIFICATE).unlink(missing_ok=True)
    earlier = saved_refusal(folder)
    if refusal.reason is not Reason.OVER_BUDGET or earlier is None or earlier.reason is Reason.OVER_BUDGET:
        write_durably(folder.certify / REFUSAL_FILE, msgspec.json.encode(refusal))


def saved_refusal(folder: RunFolder) -> Refusal | None:
    """Return why there is no certificate, None where nothing has been said of that."""
    path = folder.certify / REFUSAL_FILE
    return msgspec.json.decode(path.read_bytes(), type=Refusal) if path.exists() else None


def refused_earlier(folder: RunFolder) -> Refusal | None:
    """Return the refusal of an earlier session; a budget that ended isn't one."""
    refused = saved_refusal(folder)
    return None if refused is None or refused.reason is Reason.OVER_BUDGET else refused


def _none(folder: RunFolder) -> RunFolderError:
    refusal = saved_refusal(folder)
    if refusal is not None:
        return RunFolderError(f"{folder.root}: No certificate: {refusal.message}", "There is nothing to verify.")
    return RunFolderError(
        f"{folder.root}: there is no {CERTIFICATE}.", "Only a run with --target makes one, at its end."
    )


def _recomputed(folder: RunFolder, certificate: Certificate | Certificates) -> Iterator[Difference]:
    """Yield what doesn't follow from the answers of both passes."""
    schema = _schema(folder.certify / SCHEMA_FILE)
    batch = read_batch(folder.certify / FROZEN_FILE)
    one = certificate if isinstance(certificate, Certificate) else certificate.first
    if one.drift is None:
        per = certificate.per if isinstance(certificate, Certificates) else None
        parts = batch.parts(per, one.seed)
        agrees = agreed_by_part(folder.certify / LABELS_FILE, parts, per)
        if isinstance(certificate, Certificates):
            yield from verify_all(certificate, parts, agrees, together=per == "field")
        else:
            yield from verify_counts(one, batch.frozen, agrees[""])
        yield from _labels(folder, batch, schema)
        kept = np.flatnonzero(keeps(parts, certificate.lines))
    else:
        earlier = kept_earlier(folder.certify / EARLIER_FILE)
        yield from verify_counts(one, earlier.before(batch.frozen), earlier.by_id())
        order = earlier.ranking(batch.frozen, one.seed).order[: one.rank]
        kept = order[order >= len(earlier)] - len(earlier)
    if isinstance(certificate, Certificate) and one.rows != len(batch):
        yield Difference("rows", one.rows, len(batch))
    yield from _origin(folder, one)
    yield from _noise(folder, batch, one.seed, kinds_of(schema))
    with TemporaryDirectory() as scratch:
        yield from _again(folder, Path(scratch), schema, batch, keys_of(batch, kept))


def _origin(folder: RunFolder, certificate: Certificate) -> Iterator[Difference]:
    """Yield what is said wrongly of who answered, and when."""
    cheap, top = (_tiers(folder.stage(name).parts) for name in ("answers", "top"))
    if not cheap <= set(certificate.cheap_tiers):
        yield Difference("cheap_tiers", certificate.cheap_tiers, tuple(sorted(cheap)))
    if not top <= {certificate.top_tier}:
        yield Difference("top_tier", certificate.top_tier, tuple(sorted(top)))
    asked_on = labelled_on(folder.certify / (LABELS_FILE if certificate.drift is None else EARLIER_FILE))
    if certificate.asked_on != asked_on:
        yield Difference("asked_on", certificate.asked_on, asked_on)


def _noise(folder: RunFolder, batch: Batch, seed: int, kinds: Kinds | None) -> Iterator[Difference]:
    """Yield what is said wrongly of the rows that the top tier was asked about twice."""
    stated = asked_twice(folder)
    if stated is not None:
        found = noise(folder, batch, kinds, seed=seed, drawn=int(stated["drawn"])).facts()
        if found != stated:
            yield Difference(ASKED_TWICE, stated, found)


def _tiers(parts: Path) -> set[str]:
    """The tiers that answered anything."""
    told = (pq.read_table(path, columns=["tier"])["tier"].unique().to_pylist() for path in part_paths(parts))
    return {tier for some in told for tier in some if tier is not None}


def keys_of(batch: Batch, kept: np.ndarray) -> KeyIndex:
    """Return the contents of which every row is among the kept ones, places in the pool."""
    others = np.delete(np.arange(len(batch)), batch.pool[kept])
    return KeyIndex.of(whole_keys(np.setdiff1d(batch.keys[batch.pool[kept]], batch.keys[others])))


def _labels(folder: RunFolder, batch: Batch, schema: Schema | None) -> Iterator[Difference]:
    """Yield the labels that aren't what the top tier said, or that say wrongly whether or where it agreed."""
    table = pq.read_table(folder.certify / LABELS_FILE)
    places = {one: place for place, one in enumerate(batch.frozen.ids)}
    drawn = [places[one] for one in table["id"].to_pylist()]
    topped, kinds = topped_rows(batch.keys_at(np.array(drawn)), folder.stage("top").parts), kinds_of(schema)
    labels = labels_of(batch, drawn, topped, kinds)
    for name, found in labels.items():
        stated = table[name].to_pylist()
        pairs = enumerate(zip(stated, found, strict=True))
        wrong = [at for at, (one, other) in pairs if one is not None and one != other]  # what is missing may come later
        if wrong:
            yield Difference(f"labels: {name} of row {table['id'][wrong[0]]}", stated[wrong[0]], found[wrong[0]])


def _again(
    folder: RunFolder, scratch: Path, schema: Schema | None, batch: Batch, kept: KeyIndex
) -> Iterator[Difference]:
    """Yield the tables that aren't what the passes' parts give."""
    answered, topped = folder.stage("answers").parts, folder.stage("top").parts
    kinds, scored = kinds_of(schema), scored_by(read_ranker(folder.certify / RANKING_FILE))
    write_frozen(folder.rows, answered, kinds, scratch / FROZEN_FILE, scored=scored)
    if batch.fields and kinds is not None:
        write_by_field(folder.rows, answered, kinds, scratch / BY_FIELD_FILE)
    for path in scratch.iterdir():
        yield from _unequal(folder.certify / path.name, path, "the cheap tiers' answers")
    parts = scratch / "parts"
    parts.mkdir()
    compose(answered, topped, parts, kept)
    build_tables(folder, part_paths(parts), schema, into=scratch)
    for name in TABLES:
        if (scratch / name).exists():
            yield from _unequal(folder.root / name, scratch / name, "both passes' answers")


def _unequal(stated: Path, found: Path, source: str) -> Iterator[Difference]:
    one, other = pq.read_table(stated), pq.read_table(found)
    if one.schema.names != other.schema.names or len(one) != len(other):
        yield Difference(stated.name, f"{len(one)} rows of {one.num_columns} columns", f"{len(other)} by {source}")
        return
    for name in one.schema.names:
        if not one[name].equals(other[name]):
            yield Difference(f"{stated.name}: {name}", "as stated", f"otherwise by {source}")


def _schema(path: Path) -> Schema | None:
    if not path.exists():
        return None
    told = json.loads(path.read_bytes())
    return compile_schema(json.loads(told["source"]), name=told["name"], where=str(path))


def sha256_of_files(folder: RunFolder) -> dict[str, str]:
    """Return the hashes, in hexadecimal, of the files that a certificate rests on, by their paths in the folder."""
    return {name: _sha256(folder.root / name) for name in _files(folder)}


def _files(folder: RunFolder) -> list[str]:
    found = [folder.root / name for name in TABLES] + [folder.rows, *folder.certify.rglob("*")]
    return sorted(str(path.relative_to(folder.root)) for path in found if path.is_file())


def _changed(folder: RunFolder, files: dict[str, str]) -> Iterator[Difference]:
    present = sha256_of_files(folder)
    for name in sorted(present.keys() | files.keys()):
        stated, found = files.get(name, "no file"), present.get(name, "no file")
        if stated != found:
            yield Difference(name, stated, found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
