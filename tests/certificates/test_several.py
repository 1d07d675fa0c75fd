"""Certificates for classes and fields: over many draws of labels, none of a family breaks more often than delta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from slmbatch.certificates.calibration import Flags
from slmbatch.certificates.certificate import Frozen, Provenance
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.parts import Part, make_part
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.several import VERSION, Certificates, Settled, read_any, settle, verify_all
from slmbatch.certificates.shares import share
from slmbatch.certificates.ways import default_chances, ranked_way
from slmbatch.errors import InputError

TARGET = Target(0.9, 0.2)
DRAWS = 1_500
ROWS = 150
ORIGIN = Provenance(0, ("cheap",), "top", "2026-01-01")


def fields_or_classes(count: int, *, together: bool) -> tuple[list[Frozen], list[np.ndarray]]:
    """Parts of 150 rows and their places: fields of the same rows, in orders of their own, or classes of other rows."""
    random = np.random.default_rng(count)
    frozen, places = [], []
    for number in range(count):
        own = np.arange(ROWS) + (0 if together else ROWS * number)
        scores = random.permutation(ROWS) / ROWS
        frozen.append(Frozen([str(one) for one in own], scores.tolist(), [str(number)] * ROWS))
        places.append(own)
    return frozen, places


def wrong_rows(scores: np.ndarray, where: str, errors: int) -> Flags:
    """As many wrong rows as do most harm, in one block of ranks; or some at random, more of them below."""
    rank = np.argsort(np.argsort(-scores))
    first = {"on top": 0, "in the middle": ROWS // 3}.get(where)
    if first is None:
        return np.random.default_rng(errors).random(ROWS) < 0.25 * rank / ROWS
    return (rank >= first) & (rank < first + errors)


def planned(target: Target) -> Plan:
    made = plan(ranked_way([default_chances(ROWS)]), Batch(ROWS, ROWS), target)
    assert isinstance(made, Plan)
    return made


def broken_families(count: int, own: Target, *, together: bool, where: str) -> float:
    """How often, over draws, any certificate of a family is broken."""
    made, names = planned(own), [str(number) for number in range(count)]
    frozen, places = fields_or_classes(count, together=together)
    wrong = [wrong_rows(np.array(one.scores), where, made.allowed + 1 + made.tolerated) for one in frozen]
    labels = {
        name: {row: not bad for row, bad in zip(one.ids, flags.tolist(), strict=True)}
        for name, one, flags in zip(names, frozen, wrong, strict=True)
    }
    broken = 0
    for seed in range(DRAWS):
        some = zip(names, frozen, places, strict=True)
        parts = {name: make_part(one, at, rows=ROWS, seed=seed) for name, one, at in some}
        found = settle(parts, dict.fromkeys(names, made), labels, ORIGIN, together=together)
        if isinstance(found, Settled):
            broken += any((found.kept[at] & bad).sum() > made.allowed for at, bad in zip(places, wrong, strict=True))
    return broken / DRAWS


@pytest.mark.parametrize("where", ["on top", "in the middle", "at random"])
@pytest.mark.parametrize("together", [False, True], ids=["classes", "fields"])
def test_a_family_breaks_no_more_often_than_delta(*, together: bool, where: str) -> None:
    frequency = broken_families(3, share(TARGET, 3), together=together, where=where)
    assert frequency <= TARGET.delta + 5 * np.sqrt(TARGET.delta * (1 - TARGET.delta) / DRAWS)


def test_without_a_share_of_delta_each_a_family_breaks_more_often() -> None:
    assert broken_families(3, TARGET, together=False, where="on top") > TARGET.delta + 0.1


def some_parts(seed: int = 1) -> tuple[dict[str, Part], dict[str, dict[str, bool | None]]]:
    """Two fields of 300 documents, of which only the least sure may be wrong."""
    random = np.random.default_rng(0)
    parts, agrees = {}, {}
    for name, unsure in (("total", 0.2), ("date", 0.18)):
        scores = random.random(300)
        frozen = Frozen([str(one) for one in range(300)], scores.tolist(), [name] * 300)
        parts[name] = make_part(frozen, np.arange(300), rows=300, seed=seed)
        right = random.random(300) >= np.where(scores < unsure, 1.0, 0.0)
        agrees[name] = {str(one): bool(told) for one, told in enumerate(right)}
    return parts, agrees


def some_plans(parts: Mapping[str, Part]) -> dict[str, Plan]:
    made = plan(ranked_way([default_chances(300)]), parts["total"].shape, share(TARGET, 2))
    assert isinstance(made, Plan)
    return dict.fromkeys(parts, made)


def certified(settled: Settled | Refusal, seed: int = 1) -> Certificates:
    assert isinstance(settled, Settled)
    own = {name: replace(one, seed=seed) for name, one in settled.certificates.items()}
    return Certificates(VERSION, "field", TARGET.agreement, TARGET.delta, len(own), own, {})


def test_a_document_stays_where_all_fields_let_it_and_every_certificate_counts_those() -> None:
    parts, agrees = some_parts()
    plans = some_plans(parts)
    found = settle(parts, plans, agrees, ORIGIN, together=True)
    assert isinstance(found, Settled)
    told = certified(found)
    assert {one.kept for one in told.certificates.values()} == {found.kept.sum()} == {told.rows_kept}
    alone = [settle({name: one}, {name: plans[name]}, agrees, ORIGIN, together=True) for name, one in parts.items()]
    own = [one.kept.sum() for one in alone if isinstance(one, Settled)]
    assert 0 < found.kept.sum() < min(own)
    labelled = {name: {row: one[row] for row in drawn_ids(parts[name], told)} for name, one in agrees.items()}
    assert list(verify_all(told, parts, labelled, together=True)) == []


def drawn_ids(part: Part, told: Certificates) -> list[str]:
    return [part.frozen.ids[place] for place in part.ranking.order[part.ranking.sample(told.first.sample)]]


def test_a_refused_field_refuses_all_and_a_refused_class_itself_alone() -> None:
    parts, agrees = some_parts()
    wrong: dict[str, bool | None] = dict.fromkeys(agrees["total"], False)
    plans = some_plans(parts)
    found = settle(parts, plans, agrees | {"total": wrong}, ORIGIN, together=True)
    assert isinstance(found, Refusal)
    assert (found.reason, found.message[:7]) == (Reason.KEPT_ROWS_WRONG, "total: ")
    assert "Refused, too" not in found.message
    none = settle(parts, plans, {"total": wrong, "date": wrong}, ORIGIN, together=True)
    assert isinstance(none, Refusal)
    assert none.message.endswith(("Refused, too: date.", "Refused, too: total."))
    moved = {"total": parts["total"], "date": replace(parts["date"], places=parts["date"].places + 300)}
    apart = settle(moved, plans, agrees | {"total": wrong}, ORIGIN, together=False)
    assert isinstance(apart, Settled)
    assert (set(apart.certificates), set(apart.refused)) == ({"date"}, {"total"})
    assert not apart.kept[:300].any()
    assert apart.kept[300:].sum() == apart.certificates["date"].kept > 0


def test_a_label_that_never_came_counts_against_every_field() -> None:
    parts, agrees = some_parts()
    plans = some_plans(parts)
    first = parts["total"].frozen.ids[parts["total"].ranking.order[parts["total"].ranking.sample(1)[0]]]
    silent = {name: one | {first: None} for name, one in agrees.items()}
    found = settle(parts, plans, silent, ORIGIN, together=True)
    assert isinstance(found, Settled)
    assert {one.missing_labels for one in found.certificates.values()} == {1}


def test_a_damaged_file_is_told_from_one_of_another_version() -> None:
    for text, said in (
        (b'{"version": 3, "per": "class"}', "isn't a certificate"),
        (b'{"version": 9}', "certificate of version 9"),
        (b"[]", "isn't a certificate"),
    ):
        with pytest.raises(InputError, match=rf"x\.json: {said}"):
            read_any(text, name="x.json")
