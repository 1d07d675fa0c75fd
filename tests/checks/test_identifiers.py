"""Check digits of IBANs and VAT ids; the numbers are the examples of public documentation."""

from __future__ import annotations

import pytest

from slmbatch.checks.identifiers import iban_doubt, vat_doubt


@pytest.mark.parametrize(
    "text", ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32"]
)
def test_a_true_iban_is_not_doubted(text: str) -> None:
    assert iban_doubt(text) is None


@pytest.mark.parametrize("text", ["DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "12345"])
def test_a_wrong_digit_length_or_country_of_an_iban_is_told(text: str) -> None:
    assert iban_doubt(text) == "isn't a valid IBAN"


@pytest.mark.parametrize("text", ["DE136695976", "DE 136 695 976", "EL 094259216", "ATU13585627"])
def test_a_true_vat_id_is_not_doubted(text: str) -> None:
    assert vat_doubt(text) is None


@pytest.mark.parametrize("text", ["DE136695978", "DE13669597", "ATU13585626", "EL094259217"])
def test_a_wrong_vat_id_is_told(text: str) -> None:
    assert vat_doubt(text) == "isn't a valid VAT id"


@pytest.mark.parametrize("text", ["201/113/40209", "12-3456789", "CHE-107.787.577 IVA", "DE", "Deutschland"])
def test_what_is_no_vat_id_of_the_eu_is_not_judged(text: str) -> None:
    assert vat_doubt(text) is None
