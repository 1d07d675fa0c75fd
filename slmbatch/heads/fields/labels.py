"""Where the labels of a schema's leaves are printed in a document. The longest label wins: "due date" is no "date".

Labels of things that no leaf asks for (a telephone number, the change given) are known too, as nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from slmbatch.heads.fields.sheet import WORD, Sheet, Words, folded

# What invoices and receipts print beside other dates, numbers and amounts. Words as `WORD` cuts them, without accents.
NOBODYS = """
subtotal; sub total; total qty; total items; total item; total quantity; item count; cash; cash received; change;
change due; payment; paid; tendered; amount tendered; rounding; rounding adjustment; rounding adj; discount; tax;
gst; total tax; total gst; total discount; vat; sst; service charge; deposit; tips; price; unit price; qty; quantity;
total saving; total savings; saving; excluding gst; total excluding gst; total excl gst; total sales excluding gst;
total exclusive of gst; total exclude gst; total before tax; taxable amount; gst summary; card; visa; mastercard;
points; balance points; zwischensumme; rabatt; skonto; nachlass; versandkosten; bezahlt; anzahlung; ruckgeld; gegeben;
bar; mwst; ust; menge; einzelpreis; stuck; preis; porto; bereits bezahlt; gezahlter betrag; vorauszahlung; pfand;
sous total; remise; acompte; quantite; prix unitaire; frais de port; escompte; rendu; especes; tva;
descuento; cantidad; precio unitario; anticipo; iva; cambio; efectivo; sconto; quantita; prezzo unitario; acconto;
resto; contanti; korting; aantal; stukprijs; voorschot; wisselgeld; contant; btw;
delivery date; ship date; order date; print date; date of supply; period; service period; expiry date; valid until;
start date; end date; date of birth; member since; arrival; departure; check in; check out; as of;
lieferdatum; leistungsdatum; liefer und leistungsdatum; leistungszeitraum; lieferzeitraum; bestelldatum; auftragsdatum;
abrechnungszeitraum; druckdatum; gultig bis; skonto bis; tagen bis; abzug bis; lastschrift;
date de livraison; date de commande; periode; fecha de entrega; fecha de pedido; data di consegna; data ordine;
leverdatum; besteldatum; bestellung vom; lieferschein vom; auftrag vom;
customer no; customer number; customer id; client no; account no; delivery note; delivery no; tracking no; phone; tel;
telephone; fax; mobile; email; gst no; gst id; gst reg no; reg no; company no; co reg no; registration no; terminal;
cashier; counter; table; till; trans; member; ref; reference; your reference; our reference; page; swift; bic;
sort code; project; contract; item no; article no; ean; gtin; gln; serial no; receipt no; doc no; ticket; approval code;
batch; kundennummer; kundennr; kunden nr; kd nr; debitorennummer; lieferscheinnummer; lieferschein; lieferschein nr;
telefon; telefax; mobil; steuernummer; steuer nr; hrb; hra; handelsregister; amtsgericht; blz; konto; kontonummer;
seite; artikel nr; artikelnummer; art nr; auftragsnummer; auftrag; auftrags nr; vertragsnummer; projekt; projektnummer;
leitweg id; ihr zeichen; unser zeichen; lieferanten nr; lieferantennummer; fahrzeug; filiale; personalnummer; pos;
globale nummer; sendungsnummer; personal nr; kennzeichen; weitere referenz; lieferavis; handelsregisternummer; nummer;
n client; numero client; code client; siret; siren; rcs; naf; ape; page; bon de livraison; contrat; telephone;
n cliente; numero de cliente; cliente n; albaran; telefono; pagina; codice cliente; ddt; cod cliente; rea; cap soc;
klantnummer; klantnr; kvk; kvk nummer; pakbon; telefoon; pagina;
ship to; deliver to; delivery address; shipping address; lieferadresse; lieferanschrift; warenempfanger;
abweichender warenempfanger; zahlungsempfanger; abweichender zahlungsempfanger; adresse de livraison;
direccion de entrega; indirizzo di consegna; afleveradres; verzendadres; bank; bankname; geschaftsfuhrer;
ansprechpartner; abteilung; bearbeiter; sachbearbeiter; contact; contact person
"""
_Words: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """One printed label. `owners` has bit i set for leaf i, no bit for nobody's; `words` counts its words."""

    start: int
    end: int
    line: int
    owners: int
    words: int


class Labels:
    """All labels of a schema, ready to be found."""

    def __init__(self, by_leaf: Sequence[Sequence[str]]) -> None:
        self._owners: dict[_Words, int] = {words(one): 0 for one in NOBODYS.split(";")}
        for position, labels in enumerate(by_leaf):
            for label in labels:
                key = words(label)
                if key:
                    self._owners[key] = self._owners.get(key, 0) | (1 << position)
        self._lengths: dict[str, list[int]] = {}
        for key in self._owners:
            lengths = self._lengths.setdefault(key[0], [])
            if len(key) not in lengths:
                lengths.append(len(key))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)

    def find(self, sheet: Sheet, printed: Words) -> list[Label]:
        """Return the labels of a document in order; none lies over another."""
        texts, lengths = printed.texts, self._lengths
        found: list[Label] = []
        free = 0  # words before this one are taken
        for at in [place for place, word in enumerate(texts) if word in lengths]:
            length = self._length(sheet, printed, at) if at >= free else 0
            if length:
                free = at + length
                start, end = printed.spans[at][0], printed.spans[free - 1][1]
                found.append(Label(start, end, sheet.line_at(start), self._owners[tuple(texts[at:free])], length))
        return found

    def _length(self, sheet: Sheet, printed: Words, at: int) -> int:
        texts = printed.texts
        for length in self._lengths[texts[at]]:
            end = at + length
            if end > len(texts) or tuple(texts[at:end]) not in self._owners:
                continue
            if length == 1 or "\n" not in sheet.text[printed.spans[at][0] : printed.spans[end - 1][1]]:
                return length
        return 0


def words(label: str) -> _Words:
    """Cut a label into folded words, as a document's text is cut."""
    return tuple(folded(found.group()) for found in WORD.finditer(label))


def by_line(labels: Sequence[Label]) -> dict[int, list[Label]]:
    """Return the labels of each line that has any."""
    lines: dict[int, list[Label]] = {}
    for label in labels:
        lines.setdefault(label.line, []).append(label)
    return lines
