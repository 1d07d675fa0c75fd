"""Check digits: whether an IBAN or a VAT id can be one. Knows nothing of whether it was ever given to anybody."""

from __future__ import annotations

GREECE = "el"  # under which its VAT ids begin, though its country code is GR


def iban_doubt(text: str) -> str | None:
    """Say why a text can't be an IBAN (ISO 13616: country, length, check digits, national ones); None if it can."""
    from stdnum import iban

    return None if iban.is_valid(text) else "isn't a valid IBAN"


def vat_doubt(text: str) -> str | None:
    """Say why a text can't be a VAT id of the EU, by its country's rules; None if it can.

    National tax numbers, which begin with no country's code, and numbers of other countries aren't judged.
    """
    from stdnum.eu import vat

    number = "".join(filter(str.isalnum, text)).upper()
    country = number[:2].lower()
    if (country != GREECE and country not in vat.MEMBER_STATES) or not any(map(str.isdigit, number)):
        return None
    return None if vat.is_valid(number) else "isn't a valid VAT id"
