"""E-invoices small enough to write by hand; the whole ones are among the samples."""

from __future__ import annotations

from pathlib import Path

from pypdf import PdfReader

SAMPLES = Path(__file__).parents[2] / "sample_docs" / "invoices"
PDF, CREDIT_NOTE = SAMPLES / "seewind-2026-factur-x.pdf", SAMPLES / "seewind-2026-credit-note.xml"
CII = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"


def sample_cii() -> bytes:
    """The XML in the sample PDF."""
    return PdfReader(PDF).attachments["factur-x.xml"][0]


def cii(document: str = "", agreement: str = "", settlement: str = "", lines: str = "", profile: str = "") -> bytes:
    """An invoice in CII with these elements in their places, without namespaces but the root's."""
    return f"""<CrossIndustryInvoice xmlns="{CII}">
    <ExchangedDocumentContext><GuidelineSpecifiedDocumentContextParameter><ID>{profile}</ID>
    </GuidelineSpecifiedDocumentContextParameter></ExchangedDocumentContext>
    <ExchangedDocument>{document}</ExchangedDocument><SupplyChainTradeTransaction>{lines}
    <ApplicableHeaderTradeAgreement>{agreement}</ApplicableHeaderTradeAgreement>
    <ApplicableHeaderTradeSettlement>{settlement}</ApplicableHeaderTradeSettlement>
    </SupplyChainTradeTransaction></CrossIndustryInvoice>""".encode()


def minimum(number: str = "M-1", total: str = "119.00", *, date: str = "20260131") -> bytes:
    """An invoice of the profile MINIMUM: what it has to have, and no lines."""
    return cii(
        document=f"<ID>{number}</ID><IssueDateTime><DateTimeString>{date}</DateTimeString></IssueDateTime>",
        agreement="<SellerTradeParty><Name>Ann</Name></SellerTradeParty><BuyerTradeParty><Name>Bob</Name>"
        "</BuyerTradeParty>",
        settlement="<InvoiceCurrencyCode>EUR</InvoiceCurrencyCode><SpecifiedTradeSettlementHeaderMonetarySummation>"
        f"<TaxBasisTotalAmount>100.00</TaxBasisTotalAmount><GrandTotalAmount>{total}</GrandTotalAmount>"
        "</SpecifiedTradeSettlementHeaderMonetarySummation>",
        profile="urn:factur-x.eu:1p0:minimum",
    )
