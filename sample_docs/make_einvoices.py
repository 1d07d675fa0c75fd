"""Writes the two e-invoices of our own among the samples: a PDF with CII attached (Factur-X), a credit note in UBL.

    python sample_docs/make_einvoices.py

Who and what they name is made up; the bank account and the VAT ids have right check digits. The PDF is laid out as
Factur-X says but doesn't claim PDF/A. For developers only: everything it writes is in the repository.
"""

# ruff: noqa: E501  (XML in one line for each thing)
from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

HERE = Path(__file__).parent
SELLER, BUYER, VAT_ID, IBAN = "Seewind Radwerkstatt GmbH", "Hafen Kurier eG", "DE136695976", "DE89370400440532013000"
RATE = Decimal("0.19")


class Line(NamedTuple):
    name: str
    quantity: Decimal
    price: Decimal

    @property
    def amount(self) -> Decimal:
        return (self.quantity * self.price).quantize(Decimal("0.01"))


class Bill(NamedTuple):
    """An invoice, or with `refunds` the credit note for one. Dates are as 2026-03-31."""

    number: str
    issued: str
    due: str
    order: str
    lines: tuple[Line, ...]
    refunds: str = ""

    @property
    def net(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return (self.net * RATE).quantize(Decimal("0.01"))

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax

    def values(self) -> dict[str, object]:
        """The expected values, under the names of schemas/invoice.schema.json."""
        return {
            "invoice_id": self.number,
            "invoice_date": self.issued,
            **({"due_date": self.due} if self.due else {}),
            "currency": "EUR",
            "supplier_name": SELLER,
            "supplier_tax_id": VAT_ID,
            "supplier_iban": IBAN,
            "receiver_name": BUYER,
            "purchase_order": self.order,
            "net_amount": str(self.net),
            "total_tax_amount": str(self.tax),
            "total_amount": str(self.gross),
            "amount_due": str(self.gross),
            "line_items": [
                {
                    "description": one.name,
                    "quantity": str(one.quantity),
                    "unit_price": str(one.price),
                    "amount": str(one.amount),
                }
                for one in self.lines
            ],
        }


def cii(bill: Bill) -> str:
    """The invoice as Cross Industry Invoice, profile EN 16931."""
    lines = "".join(
        f"""
    <ram:IncludedSupplyChainTradeLineItem>
      <ram:AssociatedDocumentLineDocument><ram:LineID>{i}</ram:LineID></ram:AssociatedDocumentLineDocument>
      <ram:SpecifiedTradeProduct><ram:Name>{one.name}</ram:Name></ram:SpecifiedTradeProduct>
      <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>{one.price}</ram:ChargeAmount></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
      <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">{one.quantity}</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
      <ram:SpecifiedLineTradeSettlement>
        <ram:ApplicableTradeTax><ram:TypeCode>VAT</ram:TypeCode><ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>19</ram:RateApplicablePercent></ram:ApplicableTradeTax>
        <ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>{one.amount}</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation>
      </ram:SpecifiedLineTradeSettlement>
    </ram:IncludedSupplyChainTradeLineItem>"""
        for i, one in enumerate(bill.lines, 1)
    )
    issued, due = (f'<udt:DateTimeString format="102">{day.replace("-", "")}</udt:DateTimeString>' for day in bill[1:3])
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
  <rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
  <rsm:ExchangedDocument><ram:ID>{bill.number}</ram:ID><ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime>{issued}</ram:IssueDateTime></rsm:ExchangedDocument>
  <rsm:SupplyChainTradeTransaction>{lines}
    <ram:ApplicableHeaderTradeAgreement>
      <ram:SellerTradeParty>
        <ram:Name>{SELLER}</ram:Name>
        <ram:PostalTradeAddress><ram:PostcodeCode>24937</ram:PostcodeCode><ram:LineOne>Kaistr. 4</ram:LineOne><ram:CityName>Flensburg</ram:CityName><ram:CountryID>DE</ram:CountryID></ram:PostalTradeAddress>
        <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">{VAT_ID}</ram:ID></ram:SpecifiedTaxRegistration>
      </ram:SellerTradeParty>
      <ram:BuyerTradeParty>
        <ram:Name>{BUYER}</ram:Name>
        <ram:PostalTradeAddress><ram:PostcodeCode>24103</ram:PostcodeCode><ram:LineOne>Bollhörnkai 1</ram:LineOne><ram:CityName>Kiel</ram:CityName><ram:CountryID>DE</ram:CountryID></ram:PostalTradeAddress>
      </ram:BuyerTradeParty>
      <ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>{bill.order}</ram:IssuerAssignedID></ram:BuyerOrderReferencedDocument>
    </ram:ApplicableHeaderTradeAgreement>
    <ram:ApplicableHeaderTradeDelivery/>
    <ram:ApplicableHeaderTradeSettlement>
      <ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
      <ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>58</ram:TypeCode><ram:PayeePartyCreditorFinancialAccount><ram:IBANID>{IBAN}</ram:IBANID></ram:PayeePartyCreditorFinancialAccount></ram:SpecifiedTradeSettlementPaymentMeans>
      <ram:ApplicableTradeTax><ram:CalculatedAmount>{bill.tax}</ram:CalculatedAmount><ram:TypeCode>VAT</ram:TypeCode><ram:BasisAmount>{bill.net}</ram:BasisAmount><ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>19</ram:RateApplicablePercent></ram:ApplicableTradeTax>
      <ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>{due}</ram:DueDateDateTime></ram:SpecifiedTradePaymentTerms>
      <ram:SpecifiedTradeSettlementHeaderMonetarySummation>
        <ram:LineTotalAmount>{bill.net}</ram:LineTotalAmount>
        <ram:TaxBasisTotalAmount>{bill.net}</ram:TaxBasisTotalAmount>
        <ram:TaxTotalAmount currencyID="EUR">{bill.tax}</ram:TaxTotalAmount>
        <ram:GrandTotalAmount>{bill.gross}</ram:GrandTotalAmount>
        <ram:DuePayableAmount>{bill.gross}</ram:DuePayableAmount>
      </ram:SpecifiedTradeSettlementHeaderMonetarySummation>
    </ram:ApplicableHeaderTradeSettlement>
  </rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>
"""


def ubl(bill: Bill) -> str:
    """The credit note in UBL, as Peppol BIS Billing 3.0 has it."""
    lines = "".join(
        f"""
  <cac:CreditNoteLine>
    <cbc:ID>{i}</cbc:ID>
    <cbc:CreditedQuantity unitCode="C62">{one.quantity}</cbc:CreditedQuantity>
    <cbc:LineExtensionAmount currencyID="EUR">{one.amount}</cbc:LineExtensionAmount>
    <cac:Item><cbc:Name>{one.name}</cbc:Name></cac:Item>
    <cac:Price><cbc:PriceAmount currencyID="EUR">{one.price}</cbc:PriceAmount></cac:Price>
  </cac:CreditNoteLine>"""
        for i, one in enumerate(bill.lines, 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<CreditNote xmlns="urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2" xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:CustomizationID>urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0</cbc:CustomizationID>
  <cbc:ID>{bill.number}</cbc:ID>
  <cbc:IssueDate>{bill.issued}</cbc:IssueDate>
  <cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cac:OrderReference><cbc:ID>{bill.order}</cbc:ID></cac:OrderReference>
  <cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>{bill.refunds}</cbc:ID></cac:InvoiceDocumentReference></cac:BillingReference>
  <cac:AccountingSupplierParty><cac:Party>
    <cac:PostalAddress><cbc:CityName>Flensburg</cbc:CityName><cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
    <cac:PartyTaxScheme><cbc:CompanyID>{VAT_ID}</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>
    <cac:PartyLegalEntity><cbc:RegistrationName>{SELLER}</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty><cac:Party>
    <cac:PartyLegalEntity><cbc:RegistrationName>{BUYER}</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingCustomerParty>
  <cac:PaymentMeans><cbc:PaymentMeansCode>58</cbc:PaymentMeansCode><cac:PayeeFinancialAccount><cbc:ID>{IBAN}</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>
  <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">{bill.tax}</cbc:TaxAmount></cac:TaxTotal>
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="EUR">{bill.net}</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount currencyID="EUR">{bill.net}</cbc:TaxExclusiveAmount>
    <cbc:TaxInclusiveAmount currencyID="EUR">{bill.gross}</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="EUR">{bill.gross}</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>{lines}
</CreditNote>
"""


def printed(bill: Bill) -> list[tuple[int, int, str]]:
    """The page: texts at points from the left and from the bottom."""
    day, due = (".".join(reversed(one.split("-"))) for one in (bill.issued, bill.due))
    texts = [
        (60, 780, SELLER),
        (60, 766, "Kaistr. 4, 24937 Flensburg"),
        (60, 720, BUYER),
        (60, 706, "Bollhörnkai 1, 24103 Kiel"),
        (340, 720, f"Rechnung Nr. {bill.number}"),
        (340, 706, f"Rechnungsdatum {day}"),
        (340, 692, f"Ihre Bestellung {bill.order}"),
        *(
            (left, 640, head)
            for left, head in zip((60, 330, 400, 480), ("Artikel", "Menge", "Preis", "Betrag"), strict=True)
        ),
    ]
    up = 640
    for one in bill.lines:
        up -= 18
        cells = (one.name, _german(one.quantity), _german(one.price), _german(one.amount))
        texts += [(left, up, cell) for left, cell in zip((60, 330, 400, 480), cells, strict=True)]
    for label, amount in (("Nettobetrag", bill.net), ("MwSt 19 %", bill.tax), ("Gesamtbetrag EUR", bill.gross)):
        up -= 18
        texts += [(330, up, label), (480, up, _german(amount))]
    return [*texts, (60, up - 40, f"Zahlbar bis {due} auf IBAN {IBAN}"), (60, up - 54, f"USt-IdNr. {VAT_ID}")]


def _german(number: Decimal) -> str:
    return f"{number:,}".translate(str.maketrans(",.", ".,"))


def pdf(texts: Iterable[tuple[int, int, str]], xml: str, *, name: str = "factur-x.xml") -> PdfWriter:
    """One page with these texts, and the XML as the associated file of the document."""
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    fonts = DictionaryObject({NameObject("/F1"): _names(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    drawing = DecodedStreamObject()
    drawing.set_data("\n".join(f"BT /F1 10 Tf {x} {y} Td ({text}) Tj ET" for x, y, text in texts).encode("cp1252"))
    page[NameObject("/Contents")] = writer._add_object(drawing)
    attached = writer.add_attachment(name, xml.encode())
    attached.pdf_object[NameObject("/AFRelationship")] = NameObject("/Alternative")
    writer.root_object[NameObject("/AF")] = ArrayObject([attached.pdf_object.indirect_reference or attached.pdf_object])
    writer.metadata = None
    return writer


def _names(of: dict[str, str]) -> DictionaryObject:
    return DictionaryObject({NameObject(key): NameObject(value) for key, value in of.items()})


INVOICE = Bill(
    "SR-2026-0117",
    "2026-03-12",
    "2026-04-11",
    "HK-88",
    (
        Line("Inspektion Lastenrad", Decimal(3), Decimal("89.00")),
        Line("Bremsbelag Scheibe", Decimal(12), Decimal("8.45")),
        Line("Schlauch 20 Zoll", Decimal(8), Decimal("6.90")),
    ),
)
CREDIT_NOTE = Bill(
    "SR-2026-G009", "2026-03-27", "", "HK-88", (Line("Schlauch 20 Zoll", Decimal(2), Decimal("6.90")),), "SR-2026-0117"
)
PDF_NAME, XML_NAME = "seewind-2026-factur-x.pdf", "seewind-2026-credit-note.xml"


def main() -> None:
    """Write both, and put their values at the end of the expected ones."""
    folder = HERE / "invoices"
    pdf(printed(INVOICE), cii(INVOICE)).write(folder / PDF_NAME)
    (folder / XML_NAME).write_text(ubl(CREDIT_NOTE), encoding="utf-8")
    expected = HERE / "invoices.expected.jsonl"
    ours = {PDF_NAME: INVOICE.values(), XML_NAME: CREDIT_NOTE.values()}
    others = [line for line in expected.read_text("utf-8").splitlines() if json.loads(line)["id"] not in ours]
    added = [json.dumps({"id": name, "values": values}, ensure_ascii=False) for name, values in ours.items()]
    expected.write_text("\n".join([*others, *added]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
