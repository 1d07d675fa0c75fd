"""The ledger on disk: what it remembers, what a kill leaves in doubt, and what it adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slmbatch.chat import Usage
from slmbatch.errors import RunFolderError
from slmbatch.store.entries import Reservation, Settlement, State, TierTotal
from slmbatch.store.ledger import Ledger, totals

KEYS = [bytes([number]) * 16 for number in range(4)]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], Ledger]]:
    ledgers: list[Ledger] = []

    def make(run: str) -> Ledger:
        ledgers.append(Ledger(tmp_path / "ledger.sqlite", run))
        return ledgers[-1]

    yield make
    for ledger in ledgers:
        ledger.close()


def test_an_answer_is_remembered_across_runs_of_the_folder(opened: Callable[[str], Ledger]) -> None:
    first = opened("a")
    first.write([Reservation(1, KEYS[0], "t", 500)])
    assert first.recall(KEYS[0]) is None
    first.write([Settlement(1, State.SETTLED, 300, Usage(7, 0, 3), b"the reply")])
    paid = first.recall(KEYS[0])
    assert paid is not None
    assert (paid.reply, paid.spent, paid.here) == (b"the reply", 300, True)
    first.close()
    second = opened("b")
    paid = second.recall(KEYS[0])
    assert paid is not None
    assert not paid.here
    assert second.spent() == 0
    assert second.last_id() == 1


def test_what_a_killed_session_left_reserved_is_in_doubt_at_its_worst_case(
    tmp_path: Path, opened: Callable[[str], Ledger]
) -> None:
    first = opened("a")
    first.write([Reservation(number + 1, key, "t", 500) for number, key in enumerate(KEYS)])
    first.write(
        [
            Settlement(1, State.SETTLED, 300, Usage(7, 4, 3, 2, 1), b"reply"),
            Settlement(2, State.NOT_BILLED),
            Settlement(3, State.IN_DOUBT, 500),
        ]
    )
    assert (first.spent(), first.reserved()) == (300 + 500, 500)
    first.close()  # as a kill would, with number 4 on its way
    again = opened("a")
    assert again.spent() == 1300
    (total,) = totals(tmp_path / "ledger.sqlite", "a")
    assert total == TierTotal("t", 3, 2, 300, 1000, Usage(7, 4, 3, 2, 1))
    assert totals(tmp_path / "ledger.sqlite", "another") == []


def test_a_ledger_that_is_no_ledger_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(RunFolderError, match=r"ledger.sqlite: the ledger can't be used"):
        Ledger(tmp_path / "ledger.sqlite", "a")
    assert totals(tmp_path / "none.sqlite", "a") == []
