"""The certificate: what was promised and what it rests on, as JSON, and the check that it follows from the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from slmbatch.certificates.calibration import Flags
from slmbatch.certificates.counting import Miss, Target, misses, risk
from slmbatch.certificates.planning import Plan
from slmbatch.certificates.ranking import Ranking, freeze
from slmbatch.certificates.reuse import Drift, drift
from slmbatch.certificates.settling import Contents, Line, draw_line, least_agreement
from slmbatch.errors import InputError

VERSION = 2
CLOSE = 1e-9  # numbers that JSON carried are the same within this share


@dataclass(frozen=True, slots=True)
class Certificate:
    """Agreement with `top_tier` over `rows` rows is at least `agreement`, except with probability `risk` <= `delta`.

    Counts as in Plan and Line. `kept` rows keep their cheap answer; of these at least `kept_agreement_least` agree,
    except with probability delta, and about `kept_agreement` do. `digest` is the frozen ranking's, which `seed` drew
    the sample from; `error_ranks` are the labelled errors. `asked_on` is the date of the top tier's answers, ISO 8601.

    With `drift` the sample are rows of an earlier batch, which are in the pool but not among `rows`: all of this holds
    if the new rows are like them, and `drift` says how far the scores of both lie apart.
    """

    version: int
    agreement: float
    delta: float
    risk: float
    rows: int
    pool: int
    allowed: int
    sample: int
    tolerated: int
    seed: int
    digest: str
    rank: int
    kept: int
    error_ranks: tuple[int, ...]
    missing_labels: int
    kept_agreement: float | None
    kept_agreement_least: float | None
    misses: tuple[Miss, ...]
    cheap_tiers: tuple[str, ...]
    top_tier: str
    asked_on: str
    drift: Drift | None = None

    @property
    def lines(self) -> dict[str, tuple[int, int]]:
        """The line's rank and the size of its sample; the rows that they are about have no name."""
        return {"": (self.rank, self.sample)}

    def to_json(self, **besides: object) -> bytes:
        """Return one JSON object, indented; `besides` stands after what the certificate itself says."""
        return write_certificate(self, besides)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a certificate can't see in the rows: the seed, who answered, and when (ISO 8601 date)."""

    seed: int
    cheap_tiers: tuple[str, ...]
    top_tier: str
    asked_on: str


def certify(
    plan: Plan, ranking: Ranking, line: Line, provenance: Provenance, *, drift: Drift | None = None
) -> Certificate:
    """Write down the promise of a drawn line; ask `gates.refusal` first. `drift` is that of reused labels.

    Raises ValueError when plan, ranking and line don't belong together.
    """
    if (line.pool, line.sample, len(ranking)) != (plan.pool, plan.sample, plan.pool):
        raise ValueError("the line wasn't drawn in the planned sample of this ranking")
    return Certificate(
        version=VERSION,
        agreement=plan.target.agreement,
        delta=plan.target.delta,
        risk=plan.risk,
        rows=plan.rows,
        pool=plan.pool,
        allowed=plan.allowed,
        sample=plan.sample,
        tolerated=plan.tolerated,
        seed=provenance.seed,
        digest=ranking.digest,
        rank=line.rank,
        kept=line.kept,
        error_ranks=line.errors,
        missing_labels=line.missing,
        kept_agreement=line.agreement_above,
        kept_agreement_least=least_agreement(line, tolerated=plan.tolerated, delta=plan.target.delta),
        misses=plan.misses,
        cheap_tiers=provenance.cheap_tiers,
        top_tier=provenance.top_tier,
        asked_on=provenance.asked_on,
        drift=drift,
    )


def write_certificate(certificate: object, besides: Mapping[str, object]) -> bytes:
    """Return what one or several certificates say, and `besides`, as one JSON object."""
    told = msgspec.to_builtins(certificate) | dict(besides)
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def read_certificate(text: bytes, *, name: str) -> Certificate:
    """Read what `to_json` wrote. `name` is the file's, for errors. Raises InputError when it is no such thing."""
    remedy = "Write it again with this version, or check it with the version that wrote it."
    try:
        version = msgspec.json.decode(text, type=dict[str, object]).get("version")
        if version != VERSION:
            raise InputError(f"{name}: certificate of version {version}, which this program doesn't read.", remedy)
        return msgspec.json.decode(text, type=Certificate)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: isn't a certificate ({error}).", "Give the certificate.json of a run.") from error


@dataclass(frozen=True, slots=True)
class Frozen:
    """The rows a certificate speaks of, in any order: ids, scores (NaN: none) and, if these were frozen, answers.

    `contents` are equal for rows that are copies of each other; None where there are none.
    """

    ids: Sequence[str]
    scores: Sequence[float]
    answers: Sequence[str] | None = None
    contents: Contents | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a certificate states and its rows don't bear out."""

    name: str
    stated: object
    found: object


def verify(
    certificate: Certificate, frozen: Frozen, agrees: Mapping[str, bool | None], *, up: Flags | None = None
) -> tuple[Difference, ...]:
    """Work the certificate out again, without asking a model, and return what differs; nothing if it is true.

    `agrees` says by id whether a row's cheap answer agrees with the top tier's (None: that never came); it may know
    more rows than the sample. Rows of the sample that it doesn't know differ as `labels`. Where labels were reused,
    `frozen` holds the rows of both batches, and `agrees` those of the earlier one. `up` tells, in the order of
    `frozen`, which rows go up whatever this certificate says of them.
    """
    ranking = freeze(frozen.ids, frozen.scores, seed=certificate.seed, answers=frozen.answers)
    target = Target(certificate.agreement, certificate.delta)
    sample, tolerated, pool = certificate.sample, certificate.tolerated, len(ranking)
    allowed = min(target.allowed(certificate.rows), pool - 1)
    found = _differences(certificate, {"pool": pool, "digest": ranking.digest, "allowed": allowed})
    if found:
        return found
    if not 0 <= tolerated <= sample <= pool:
        return (Difference("sample", sample, pool),)
    chance = risk(pool=pool, allowed=allowed, sample=sample, tolerated=tolerated)
    broken = () if chance <= certificate.delta else (Difference("delta", certificate.delta, chance),)
    bad = misses(target, rows=certificate.rows, pool=pool, sample=sample, tolerated=tolerated)
    found = (*broken, *_differences(certificate, {"risk": chance, "misses": bad}))
    known = np.array([one in agrees for one in frozen.ids], bool)
    drawn = ranking.sample(sample) if certificate.drift is None else np.flatnonzero(known[ranking.order])
    places = ranking.order[drawn]
    if len(places) != sample or not known[places].all():
        return (*found, Difference("labels", sample, int(known[places].sum())))
    contents = None if frozen.contents is None else frozen.contents[ranking.order]
    labels = [agrees[frozen.ids[place]] for place in places.tolist()]
    going = None if up is None else up[ranking.order]
    line = draw_line(drawn, labels, pool=pool, tolerated=tolerated, contents=contents, up=going)
    facts = _facts(line, tolerated=tolerated, delta=certificate.delta) | _moved(certificate, frozen, known)
    return (*found, *_differences(certificate, facts))


def _moved(certificate: Certificate, frozen: Frozen, known: Flags) -> dict[str, object]:
    """What the scores of both batches say, where labels were reused."""
    if certificate.drift is None:
        return {}
    scores = np.asarray(frozen.scores, np.float64)
    return {"drift": drift(scores[known], scores[~known])}


def _facts(line: Line, *, tolerated: int, delta: float) -> dict[str, object]:
    """What the labels say, by the certificate's names."""
    return {
        "rank": line.rank,
        "kept": line.kept,
        "error_ranks": line.errors,
        "missing_labels": line.missing,
        "kept_agreement": line.agreement_above,
        "kept_agreement_least": least_agreement(line, tolerated=tolerated, delta=delta),
    }


def _differences(certificate: Certificate, facts: Mapping[str, object]) -> tuple[Difference, ...]:
    stated = {name: getattr(certificate, name) for name in facts}
    return tuple(Difference(name, stated[name], fact) for name, fact in facts.items() if not _same(stated[name], fact))


def _same(stated: object, found: object) -> bool:
    if isinstance(stated, float) and isinstance(found, float):
        return math.isclose(stated, found, rel_tol=CLOSE)
    if isinstance(stated, Miss) and isinstance(found, Miss):
        return _same(stated.shortfall, found.shortfall) and _same(stated.probability, found.probability)
    if isinstance(stated, tuple) and isinstance(found, tuple):
        return len(stated) == len(found) and all(_same(one, other) for one, other in zip(stated, found, strict=True))
    return stated == found
