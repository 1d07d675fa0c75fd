"""What a run's folder says of its certificate."""

from __future__ import annotations

from pathlib import Path

from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.run.certified.proof import save_refusal, saved_refusal
from slmbatch.store.folder import RunFolder


def test_a_budget_that_ends_is_no_reason_beside_one_that_is_final(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out").claimed() as folder:
        folder.certify.mkdir(parents=True, exist_ok=True)
        for said in ("1 USD", "2 USD"):
            save_refusal(folder, Refusal(Reason.OVER_BUDGET, said))
            assert saved_refusal(folder) == Refusal(Reason.OVER_BUDGET, said)
        final = Refusal(Reason.KEPT_ROWS_WRONG, "of the rows kept too few agree")
        save_refusal(folder, final)
        save_refusal(folder, Refusal(Reason.OVER_BUDGET, "3 USD"))
        assert saved_refusal(folder) == final
