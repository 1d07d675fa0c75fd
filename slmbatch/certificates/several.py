"""Certificates for every class or every field of a batch, in one file: how they come about, and their check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from slmbatch.certificates.calibration import Flags
from slmbatch.certificates.certificate import (
    Certificate,
    Difference,
    Provenance,
    certify,
    read_certificate,
    verify,
    write_certificate,
)
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal, refusal
from slmbatch.certificates.parts import Part, keeps
from slmbatch.certificates.planning import Plan
from slmbatch.certificates.settling import Line, draw_line
from slmbatch.certificates.shares import none_left, share
from slmbatch.errors import InputError

VERSION = 3  # of the file; those of single certificates are below it
Labels: TypeAlias = Mapping[str, Mapping[str, bool | None]]  # by part and id: whether the top tier agrees


@dataclass(frozen=True, slots=True)
class Certificates:
    """One certificate for each class or field (`per`), all true together except with probability `delta`.

    Each has delta / `planned`: that many had a plan when labels were drawn. Classes that are `refused` went up whole.
    """

    version: int
    per: str
    agreement: float
    delta: float
    planned: int
    certificates: Mapping[str, Certificate]
    refused: Mapping[str, Refusal]

    @property
    def first(self) -> Certificate:
        """One of them: they share their seed, the tiers and the date."""
        return next(iter(self.certificates.values()))

    @property
    def rows_kept(self) -> int:
        """Rows with a cheap answer: each is of one class, or the same of all fields."""
        kept = [one.kept for one in self.certificates.values()]
        return sum(kept) if self.per == "class" else kept[0]

    @property
    def lines(self) -> dict[str, tuple[int, int]]:
        """The rank of each line and the size of its sample, as `keeps` takes them."""
        return {name: (one.rank, one.sample) for name, one in self.certificates.items()}

    def to_json(self, **besides: object) -> bytes:
        """Return one JSON object, indented, as that of a single certificate."""
        return write_certificate(self, besides)


def read_any(text: bytes, *, name: str) -> Certificate | Certificates:
    """Read what a `to_json` wrote; `name` is the file's, for errors. Raises InputError when it is no such thing."""
    try:
        if msgspec.json.decode(text, type=dict[str, object]).get("version") != VERSION:
            return read_certificate(text, name=name)
        told = msgspec.json.decode(text, type=Certificates)
        if not told.certificates:
            raise ValueError("it holds none")
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{name}: isn't a certificate ({error}).", "Give the certificate.json of a run.") from error
    return told


@dataclass(frozen=True, slots=True)
class Settled:
    """What the labels earned: certificates, why some parts have none, and which rows keep their cheap answer."""

    certificates: Mapping[str, Certificate]
    refused: Mapping[str, Refusal]
    kept: Flags


def settle(
    parts: Mapping[str, Part], plans: Mapping[str, Plan], agrees: Labels, origin: Provenance, *, together: bool
) -> Settled | Refusal:
    """Draw every part's line. What a gate refuses keeps nothing; and with it nothing is kept at all if no part is left.

    Where parts stand `together` (a document's fields), one that is refused refuses all. Gates see each part twice: by
    its own line, and by what is left of its rows when all parts have had their say.
    """
    labels = {name: parts[name].labels(agrees[name], one.sample) for name, one in plans.items()}
    lines = {name: _line(parts[name], one, labels[name]) for name, one in plans.items()}
    refused = _refused(parts, plans, lines, labels)
    if not (refused and together):
        up = ~keeps(parts, _ranks(lines, but=refused))
        left = {name: one for name, one in plans.items() if name not in refused}
        lines = {name: _line(parts[name], one, labels[name], up=up) for name, one in left.items()}
        refused |= _refused(parts, left, lines, labels)
    if refused and (together or len(refused) == len(plans)):
        return none_left(refused, parts)
    told = {
        name: certify(plans[name], parts[name].ranking, line, origin)
        for name, line in lines.items()
        if name not in refused
    }
    return Settled(told, refused, keeps(parts, _ranks(lines, but=refused)))


def _line(part: Part, plan: Plan, labels: Sequence[bool | None], *, up: Flags | None = None) -> Line:
    """Draw a part's line; without `up`, rows by place, it knows neither copies nor other parts."""
    sample, order = part.ranking.sample(plan.sample), part.ranking.order
    if up is None:
        return draw_line(sample, labels, pool=plan.pool, tolerated=plan.tolerated)
    contents, going = part.frozen.contents, up[part.places][order]
    ranked = None if contents is None else contents[order]
    return draw_line(sample, labels, pool=plan.pool, tolerated=plan.tolerated, contents=ranked, up=going)


def _refused(
    parts: Mapping[str, Part],
    plans: Mapping[str, Plan],
    lines: Mapping[str, Line],
    labels: Mapping[str, Sequence[bool | None]],
) -> dict[str, Refusal]:
    told = {}
    for name, one in plans.items():
        rows, sample = parts[name].rows, parts[name].ranking.sample(one.sample)
        told[name] = refusal(
            lines[name], sample, labels[name], rows=rows, tolerated=one.tolerated, delta=one.target.delta
        )
    return {name: why for name, why in told.items() if why is not None}


def _ranks(lines: Mapping[str, Line], *, but: Mapping[str, Refusal]) -> dict[str, tuple[int, int]]:
    return {name: (one.rank, one.sample) for name, one in lines.items() if name not in but}


def verify_all(
    told: Certificates, parts: Mapping[str, Part], agrees: Labels, *, together: bool
) -> Iterator[Difference]:
    """Yield what doesn't follow from the rows: in any certificate, and in what they say of each other."""
    names = told.certificates.keys() | told.refused.keys()
    if names != parts.keys() or (together and told.refused):
        yield Difference(told.per, sorted(names), sorted(parts))
        return
    labelled = [name for name, one in parts.items() if any(row in agrees[name] for row in one.frozen.ids)]
    if told.planned != len(labelled):
        yield Difference("planned", told.planned, len(labelled))
    own = share(Target(told.agreement, told.delta), max(1, len(labelled)))
    origin = _origin(told.first)
    kept = keeps(parts, told.lines)
    for name, one in told.certificates.items():
        part = parts[name]
        stated = (one.agreement, one.delta, one.rows, *_origin(one))
        found = (own.agreement, own.delta, part.rows, *origin)
        if stated != found:
            yield Difference(f"{name}: agreement, delta, rows, seed, tiers or date", stated, found)
        for each in verify(one, part.frozen, agrees[name], up=~kept[part.places]):
            yield Difference(f"{name}: {each.name}", each.stated, each.found)


def _origin(one: Certificate) -> Sequence[object]:
    return one.seed, one.cheap_tiers, one.top_tier, one.asked_on
