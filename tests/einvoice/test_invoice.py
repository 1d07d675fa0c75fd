"""What the XML of e-invoices states, term by term."""

from __future__ import annotations

import pytest

from slmbatch.einvoice.invoice import EInvoice, read_einvoice
from slmbatch.einvoice.terms import LINES, TAXES, TERMS
from slmbatch.einvoice.text import xml_text
from slmbatch.einvoice.tree import parse_xml

from .made import CREDIT_NOTE, cii, minimum, sample_cii


def read(content: bytes) -> EInvoice:
    invoice = read_einvoice(content)
    assert invoice is not None
    return invoice


def said(invoice: EInvoice) -> dict[str, str]:
    return {term: stated.text for term, stated in invoice.header.items()}


def test_an_invoice_in_cii_is_read_term_by_term() -> None:
    invoice = read(sample_cii())
    wanted = {
        "BT-1": "SR-2026-0117",
        "BT-2": "2026-03-12",
        "BT-5": "EUR",
        "BT-9": "2026-04-11",
        "BT-13": "HK-88",
        "BT-27": "Seewind Radwerkstatt GmbH",
        "BT-31": "DE136695976",
        "BT-44": "Hafen Kurier eG",
        "BT-84": "DE89370400440532013000",
        "BT-109": "423.60",
        "BT-110": "80.48",
        "BT-112": "504.08",
    }
    assert wanted.items() <= said(invoice).items()
    assert [line["BT-153"].text for line in invoice.groups[LINES]] == [
        "Inspektion Lastenrad",
        "Bremsbelag Scheibe",
        "Schlauch 20 Zoll",
    ]
    assert {term: one.text for term, one in invoice.groups[LINES][1].items() if term in ("BT-129", "BT-146")} == {
        "BT-129": "12",
        "BT-146": "8.45",
    }
    assert [tax["BT-119"].text for tax in invoice.groups[TAXES]] == ["19"]


def test_a_credit_note_in_ubl_is_read_term_by_term() -> None:
    invoice = read(CREDIT_NOTE.read_bytes())
    wanted = {
        "BT-1": "SR-2026-G009",
        "BT-2": "2026-03-27",
        "BT-25": "SR-2026-0117",
        "BT-27": "Seewind Radwerkstatt GmbH",
        "BT-31": "DE136695976",
        "BT-110": "2.62",
        "BT-112": "16.42",
        "BT-115": "16.42",
    }
    assert wanted.items() <= said(invoice).items()
    assert "BT-9" not in invoice.header
    [line] = invoice.groups[LINES]
    assert (line["BT-129"].text, line["BT-130"].text, line["BT-131"].text) == ("2", "C62", "13.80")


def test_every_statement_tells_its_place_with_positions_among_equal_names() -> None:
    invoice = read(sample_cii())
    assert invoice.header["BT-1"].path == "/CrossIndustryInvoice/ExchangedDocument/ID"
    assert invoice.groups[LINES][2]["BT-153"].path == (
        "/CrossIndustryInvoice/SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem[3]"
        "/SpecifiedTradeProduct/Name"
    )
    assert invoice.groups[LINES][0]["BT-130"].path.endswith("/BilledQuantity/@unitCode")


def test_tax_is_the_one_in_the_currency_of_the_invoice() -> None:
    sums = "".join(
        f'<TaxTotalAmount currencyID="{code}">{sum_}</TaxTotalAmount>' for code, sum_ in (("EUR", 9), ("SEK", 99))
    )
    totals = (
        f"<SpecifiedTradeSettlementHeaderMonetarySummation>{sums}</SpecifiedTradeSettlementHeaderMonetarySummation>"
    )
    invoice = read(cii(settlement=f"<InvoiceCurrencyCode>SEK</InvoiceCurrencyCode>{totals}"))
    assert invoice.header["BT-110"].text == "99"
    assert invoice.header["BT-110"].path.endswith("/TaxTotalAmount[2]")


def test_a_tax_number_is_no_vat_id() -> None:
    ids = "".join(
        f'<SpecifiedTaxRegistration><ID schemeID="{kind}">{n}</ID></SpecifiedTaxRegistration>'
        for kind, n in (("FC", "201/1"), ("VA", "DE1"))
    )
    invoice = read(cii(agreement=f"<SellerTradeParty>{ids}</SellerTradeParty>"))
    assert (invoice.header["BT-31"].text, invoice.header["BT-32"].text) == ("DE1", "201/1")
    assert invoice.header["BT-31"].path.endswith("/SpecifiedTaxRegistration[2]/ID")


def test_subtotals_and_texts_between_lines_are_no_lines() -> None:
    def line(name: str, status: str = "") -> str:
        told = f"<LineStatusReasonCode>{status}</LineStatusReasonCode>" if status else ""
        product = f"<SpecifiedTradeProduct><Name>{name}</Name></SpecifiedTradeProduct>" if name else ""
        return (
            "<IncludedSupplyChainTradeLineItem><AssociatedDocumentLineDocument><LineID>1</LineID>"
            f"{told}</AssociatedDocumentLineDocument>{product}</IncludedSupplyChainTradeLineItem>"
        )

    lines = line("all of it", "GROUP") + line("one", "DETAIL") + line("") + line("two") + line("news", "INFORMATION")
    assert [one["BT-153"].text for one in read(cii(lines=lines)).groups[LINES]] == ["one", "two"]


def test_a_short_profile_is_known_as_one() -> None:
    assert read(minimum()).short == "minimum"
    assert read(sample_cii()).short is None


@pytest.mark.parametrize(
    "content", [b"<invoice><ID>1</ID></invoice>", b'<Invoice xmlns="urn:other"><ID>1</ID></Invoice>']
)
def test_other_xml_is_no_einvoice(content: bytes) -> None:
    assert read_einvoice(content) is None


def test_the_text_of_an_einvoice_names_its_terms() -> None:
    lines = xml_text(parse_xml(CREDIT_NOTE.read_bytes())).splitlines()
    assert lines[0] == "Invoice number: SR-2026-G009"
    assert "Grand total: 16.42" in lines
    assert "Item: Schlauch 20 Zoll" in next(line for line in lines if line.startswith("Line: 1"))


def test_the_text_of_other_xml_has_its_elements_in_order_without_files() -> None:
    content = b'<a><orderNumber>7</orderNumber><b mimeCode="x/y">QUJD</b>tail<c>two  <d>inner</d></c></a>'
    assert xml_text(parse_xml(content)) == "order Number: 7\ntail\nc: two\nd: inner"


def test_terms_belong_to_no_group_or_to_a_known_one() -> None:
    assert {term.group for term in TERMS.values()} == {None, LINES, TAXES}
