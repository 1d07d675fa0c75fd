"""Month names and their abbreviations in English, German, French, Spanish, Italian and Dutch."""

from __future__ import annotations

import unicodedata

_NAMES = """
january jan januar jaenner janner janvier janv enero ene gennaio gen januari
february feb februar feber fevrier fevr fev febrero febbraio februari febr
march mar marz maerz mrz mars marzo maart mrt
april apr avril avr abril abr aprile
may mai mayo maggio mag mei
june jun juni juin junio giugno giu
july jul juli juillet juil julio luglio lug
august aug aout aou agosto ago augustus
september sept sep septembre septiembre set settembre sett setiembre
october oct oktober okt octobre octubre ottobre ott
november nov novembre noviembre
december dec dezember dez decembre diciembre dic dicembre
"""
_NUMBERS = {name: number for number, line in enumerate(_NAMES.strip().splitlines(), 1) for name in line.split()}


def month_number(word: str) -> int | None:
    """Return 1 to 12 for a month's name in any case, with or without its accents, None for another word."""
    if word.isascii():
        return _NUMBERS.get(word.lower())
    return _NUMBERS.get("".join(filter(str.isalpha, unicodedata.normalize("NFKD", word.lower()))))
