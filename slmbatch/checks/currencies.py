"""Which codes and symbols mean which currency. Knows no amounts."""

from __future__ import annotations

_ACTIVE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD
HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD
TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD
XPF XPT XSU XUA YER ZAR ZMW ZWG
"""
# ISO 4217 list one, without XTS (testing) and XXX (no currency), which no document is paid in.
ISO_4217 = frozenset(_ACTIVE.split())

_WITHDRAWN = "ANG BGN BYR CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL"  # documents outlive currencies
_CODES = ISO_4217 | frozenset(_WITHDRAWN.split())

# Lower case. "$" is read as the US dollar, which is what it means when no letter stands before it.
_SYMBOLS = {
    "€": "EUR", "euro": "EUR", "euros": "EUR",
    "$": "USD", "us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "hk$": "HKD", "nz$": "NZD",
    "r$": "BRL", "s$": "SGD", "nt$": "TWD", "mx$": "MXN",
    "£": "GBP", "fr.": "CHF", "sfr.": "CHF", "sfr": "CHF", "rm": "MYR", "zł": "PLN", "kč": "CZK", "ft": "HUF",
    "lei": "RON", "cn¥": "CNY", "₹": "INR", "₺": "TRY", "₽": "RUB", "₩": "KRW", "₪": "ILS", "฿": "THB", "₫": "VND",
    "₴": "UAH", "₱": "PHP", "₦": "NGN", "₵": "GHS", "₸": "KZT", "₼": "AZN", "₾": "GEL",
}  # fmt: skip

# They mark an amount, but several countries share them.
_AMBIGUOUS = frozenset({"kr", "kr.", "¥", "fr", "rs", "rs.", "lev", "din."})
_MARKS = _AMBIGUOUS | _SYMBOLS.keys() | frozenset(map(str.lower, _CODES))


def parse_currency(text: str) -> str | None:
    """Return the ISO 4217 code that a code or a symbol stands for, None when it is unknown or ambiguous."""
    word = text.strip()
    code = word.upper()
    return code if code in _CODES else _SYMBOLS.get(word.lower())


def marks_money(text: str) -> bool:
    """Say whether a word or sign beside a number says that it is money, even if not which money."""
    return text.strip().lower() in _MARKS


def spellings(code: str) -> tuple[str, ...]:
    """Return the code and then its symbols, lower-case where they are words."""
    return (code, *(symbol for symbol, meant in _SYMBOLS.items() if meant == code))
