import json
from dataclasses import fields, replace

import numpy as np
import pytest

from slmbatch.certificates.certificate import Certificate, Frozen, Provenance, certify, read_certificate, verify
from slmbatch.certificates.counting import Miss, Target
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.ranking import freeze
from slmbatch.certificates.reuse import Drift
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import guessed_chances, ranked_way
from slmbatch.errors import InputError

ROWS, SEED = 400, 17


def issued() -> tuple[Certificate, Frozen, dict[str, bool | None]]:
    """A batch of 400 rows with 5 % of them unusable, from plan to certificate."""
    random = np.random.default_rng(SEED)
    scores = random.random(ROWS).round(2)
    ids = [f"ticket {number}" for number in range(ROWS)]
    right = random.random(ROWS) < scores**0.2
    ranking = freeze(ids, scores, seed=SEED)
    made = plan(ranked_way(guessed_chances(scores[ranking.order])), Batch(420, ROWS), Target(0.9))
    assert isinstance(made, Plan)
    sample = ranking.sample(made.sample)
    agrees: dict[str, bool | None] = {ids[place]: bool(right[place]) for place in ranking.order[sample]}
    agrees[ids[ranking.order[sample[-1]]]] = None
    labels = [agrees[ids[place]] for place in ranking.order[sample]]
    line = draw_line(sample, labels, pool=ROWS, tolerated=made.tolerated)
    provenance = Provenance(SEED, ("head",), "openai:some-model", "2026-01-31")
    return certify(made, ranking, line, provenance), Frozen(ids, scores.tolist()), agrees


def test_a_true_certificate_verifies_in_any_order_and_after_json() -> None:
    certificate, frozen, agrees = issued()
    assert certificate.missing_labels == 1
    read = read_certificate(certificate.to_json(), name="certificate.json")
    assert read == certificate
    assert verify(read, frozen, agrees) == ()
    turned = Frozen(frozen.ids[::-1], frozen.scores[::-1])
    assert verify(read, turned, agrees | {"another row": True}) == ()


TOLD_BY_OTHERS = {"version", "cheap_tiers", "top_tier", "asked_on"}


@pytest.mark.parametrize("name", [one.name for one in fields(Certificate) if one.name not in TOLD_BY_OTHERS])
def test_nothing_in_a_certificate_can_be_changed_unseen(name: str) -> None:
    certificate, frozen, agrees = issued()
    value = getattr(certificate, name)
    changed = {
        "agreement": 0.95,
        "delta": 0.01,
        "digest": "0" * 64,
        "error_ranks": certificate.error_ranks[1:],
        "misses": (Miss(0.0, 0.5), *certificate.misses[1:]),
        "drift": Drift(0.1, 0.5),
    }.get(name, value * 0.99 if isinstance(value, float) else value + 1 if isinstance(value, int) else None)
    if name == "rows":
        changed = 600
    found = verify(replace(certificate, **{name: changed}), frozen, agrees)
    assert found


def test_moved_scores_and_changed_labels_are_named() -> None:
    certificate, frozen, agrees = issued()
    moved = Frozen(frozen.ids, [*frozen.scores[:-1], frozen.scores[-1] + 0.01])
    assert [one.name for one in verify(certificate, moved, agrees)] == ["digest"]
    right = next(row for row, told in agrees.items() if told)
    assert "error_ranks" in {one.name for one in verify(certificate, frozen, agrees | {right: False})}
    fewer = {row: told for row, told in agrees.items() if row != right}
    found = verify(certificate, frozen, fewer)
    assert [(one.name, one.stated, one.found) for one in found] == [
        ("labels", certificate.sample, certificate.sample - 1)
    ]


def test_a_promise_that_was_never_safe_is_told() -> None:
    certificate, frozen, agrees = issued()
    found = verify(replace(certificate, tolerated=certificate.tolerated + 1), frozen, agrees)
    assert "delta" in {one.name for one in found}


def test_another_version_and_another_file_are_refused_with_the_files_name() -> None:
    certificate, _, _ = issued()
    told = json.loads(certificate.to_json())
    with pytest.raises(InputError, match=r"x\.json: certificate of version 1"):
        read_certificate(json.dumps(told | {"version": 1}).encode(), name="x.json")
    for text in (b"[1]", b"{", b'{"version": 2}', b"\xff"):
        with pytest.raises(InputError, match=r"x\.json: isn't a certificate"):
            read_certificate(text, name="x.json")


def test_a_line_of_another_plan_is_not_certified() -> None:
    certificate, frozen, _ = issued()
    ranking = freeze(frozen.ids, frozen.scores, seed=SEED)
    made = plan(ranked_way(guessed_chances(np.array(frozen.scores)[ranking.order])), Batch(420, ROWS), Target(0.9))
    assert isinstance(made, Plan)
    line = draw_line(ranking.sample(made.sample - 1), [True] * (made.sample - 1), pool=ROWS, tolerated=1)
    with pytest.raises(ValueError, match="planned sample"):
        certify(made, ranking, line, Provenance(SEED, (), certificate.top_tier, certificate.asked_on))
