"""Where the business terms of EN 16931 stand in the two syntaxes of e-invoices.

CII is UN/CEFACT's, in Factur-X, ZUGFeRD and XRechnung; the names of ZUGFeRD 1 are alternatives after `|`. UBL is
OASIS's, in Peppol BIS and XRechnung. The places are those of the standard's syntax bindings (CEN/TS 16931-3-2, -3-3).
A path is relative to the root, in a repeated group to its element; namespaces are left out, since no two elements of
these documents differ in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

LINES, TAXES = "BG-25", "BG-23"
LINE_STATUS = "BT-X-8"  # of the profile EXTENDED: GROUP is a subtotal, INFORMATION is not billed


@dataclass(frozen=True, slots=True)
class Term:
    """One business term: its id and name, and its paths by syntax, of which the first that is there counts.

    `group` is the repeated group it belongs to, None for what an invoice has once.
    """

    id: str
    name: str
    cii: tuple[str, ...]
    ubl: tuple[str, ...]
    group: str | None = None


_DOCUMENT = "ExchangedDocument|HeaderExchangedDocument"
_TRADE = "SupplyChainTradeTransaction|SpecifiedSupplyChainTradeTransaction"
_AGREED = f"{_TRADE}/ApplicableHeaderTradeAgreement|ApplicableSupplyChainTradeAgreement"
_DELIVERED = f"{_TRADE}/ApplicableHeaderTradeDelivery|ApplicableSupplyChainTradeDelivery"
_SETTLED = f"{_TRADE}/ApplicableHeaderTradeSettlement|ApplicableSupplyChainTradeSettlement"
_SUMS = f"{_SETTLED}/SpecifiedTradeSettlementHeaderMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
_MEANS = f"{_SETTLED}/SpecifiedTradeSettlementPaymentMeans"
_PERIOD = f"{_SETTLED}/BillingSpecifiedPeriod"
_DAY = "DateTimeString|DateTime"
_DUE = f"{_SETTLED}/SpecifiedTradePaymentTerms/DueDateDateTime"
_ID = "IssuerAssignedID|ID"
_LINE_AGREED = "SpecifiedLineTradeAgreement|SpecifiedSupplyChainTradeAgreement"
_LINE_SETTLED = "SpecifiedLineTradeSettlement|SpecifiedSupplyChainTradeSettlement"
_LINE_SUMS = f"{_LINE_SETTLED}/SpecifiedTradeSettlementLineMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
_BILLED = "SpecifiedLineTradeDelivery|SpecifiedSupplyChainTradeDelivery/BilledQuantity"
_PRICE = f"{_LINE_AGREED}/NetPriceProductTradePrice"
_PRODUCT = "SpecifiedTradeProduct"
_UBL_SUMS = "LegalMonetaryTotal"
_QUANTITY = "InvoicedQuantity|CreditedQuantity"

GROUPS = MappingProxyType(
    {
        LINES: (f"{_TRADE}/IncludedSupplyChainTradeLineItem", "InvoiceLine|CreditNoteLine"),
        TAXES: (f"{_SETTLED}/ApplicableTradeTax", "TaxTotal/TaxSubtotal"),
    }
)


def _party(ids: tuple[str, ...], who: str, cii: str, ubl: str) -> list[Term]:
    """Seller and buyer have the same terms under other ids: name, VAT id, street, more, city, post code, country."""
    at, party = f"{_AGREED}/{cii}", f"{ubl}/Party"
    vat, *address = ids[1:]
    places = [
        ("street", "LineOne", "StreetName"),
        ("address line 2", "LineTwo", "AdditionalStreetName"),
        ("city", "CityName", "CityName"),
        ("post code", "PostcodeCode", "PostalZone"),
        ("country", "CountryID", "Country/IdentificationCode"),
    ]
    return [
        Term(ids[0], who, (f"{at}/Name",), (f"{party}/PartyLegalEntity/RegistrationName", f"{party}/PartyName/Name")),
        Term(
            vat,
            f"{who} VAT ID",
            (f"{at}/SpecifiedTaxRegistration/ID[@schemeID=VA]",),
            (f"{party}/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID",),
        ),
        *(
            Term(term, f"{who} {what}", (f"{at}/PostalTradeAddress/{in_cii}",), (f"{party}/PostalAddress/{in_ubl}",))
            for term, (what, in_cii, in_ubl) in zip(address, places, strict=True)
        ),
    ]


def _once(term: str, name: str, cii: str, *ubl: str) -> Term:
    return Term(term, name, (cii,), ubl)


def _line(term: str, name: str, cii: str, ubl: str) -> Term:
    return Term(term, name, (cii,), (ubl,), LINES)


def _tax(term: str, name: str, cii: str, ubl: str) -> Term:
    return Term(term, name, (cii,), (ubl,), TAXES)


_ALL = [  # in the order in which a person reads an invoice
    _once("BT-1", "Invoice number", f"{_DOCUMENT}/ID", "ID"),
    Term(
        "BT-2",
        "Invoice date",
        (f"{_DOCUMENT}/IssueDateTime/{_DAY}", f"{_DOCUMENT}/IssueDateTime"),
        ("IssueDate",),
    ),
    _once("BT-3", "Type code", f"{_DOCUMENT}/TypeCode", "InvoiceTypeCode|CreditNoteTypeCode"),
    _once("BT-5", "Currency", f"{_SETTLED}/InvoiceCurrencyCode", "DocumentCurrencyCode"),
    Term(
        "BT-9",
        "Due date",
        (f"{_DUE}/{_DAY}", _DUE),
        ("DueDate", "PaymentMeans/PaymentDueDate"),
    ),
    _once("BT-10", "Buyer reference", f"{_AGREED}/BuyerReference", "BuyerReference"),
    _once("BT-11", "Project", f"{_AGREED}/SpecifiedProcuringProject/ID", "ProjectReference/ID"),
    _once("BT-12", "Contract", f"{_AGREED}/ContractReferencedDocument/{_ID}", "ContractDocumentReference/ID"),
    _once("BT-13", "Purchase order", f"{_AGREED}/BuyerOrderReferencedDocument/{_ID}", "OrderReference/ID"),
    _once("BT-14", "Sales order", f"{_AGREED}/SellerOrderReferencedDocument/{_ID}", "OrderReference/SalesOrderID"),
    _once(
        "BT-16", "Delivery note", f"{_DELIVERED}/DespatchAdviceReferencedDocument/{_ID}", "DespatchDocumentReference/ID"
    ),
    _once("BT-20", "Payment terms", f"{_SETTLED}/SpecifiedTradePaymentTerms/Description", "PaymentTerms/Note"),
    _once("BT-22", "Note", f"{_DOCUMENT}/IncludedNote/Content", "Note"),
    _once(
        "BT-25",
        "Preceding invoice",
        f"{_SETTLED}/InvoiceReferencedDocument/{_ID}",
        "BillingReference/InvoiceDocumentReference/ID",
    ),
    *_party(
        ("BT-27", "BT-31", "BT-35", "BT-36", "BT-37", "BT-38", "BT-40"),
        "Seller",
        "SellerTradeParty",
        "AccountingSupplierParty",
    ),
    Term(
        "BT-32",
        "Seller tax number",
        (f"{_AGREED}/SellerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=FC]",),
        ("AccountingSupplierParty/Party/PartyTaxScheme[TaxScheme/ID!=VAT]/CompanyID",),
    ),
    *_party(
        ("BT-44", "BT-48", "BT-50", "BT-51", "BT-52", "BT-53", "BT-55"),
        "Buyer",
        "BuyerTradeParty",
        "AccountingCustomerParty",
    ),
    _once("BT-59", "Payee", f"{_SETTLED}/PayeeTradeParty/Name", "PayeeParty/PartyName/Name"),
    _once(
        "BT-72",
        "Delivery date",
        f"{_DELIVERED}/ActualDeliverySupplyChainEvent/OccurrenceDateTime/{_DAY}",
        "Delivery/ActualDeliveryDate",
    ),
    _once("BT-73", "Period from", f"{_PERIOD}/StartDateTime/{_DAY}", "InvoicePeriod/StartDate"),
    _once("BT-74", "Period to", f"{_PERIOD}/EndDateTime/{_DAY}", "InvoicePeriod/EndDate"),
    _once("BT-83", "Payment reference", f"{_SETTLED}/PaymentReference", "PaymentMeans/PaymentID"),
    _once(
        "BT-84",
        "IBAN",
        f"{_MEANS}/PayeePartyCreditorFinancialAccount/IBANID|ProprietaryID",
        "PaymentMeans/PayeeFinancialAccount/ID",
    ),
    _once(
        "BT-86",
        "BIC",
        f"{_MEANS}/PayeeSpecifiedCreditorFinancialInstitution/BICID",
        "PaymentMeans/PayeeFinancialAccount/FinancialInstitutionBranch/ID",
    ),
    Term(LINE_STATUS, "Line status", ("AssociatedDocumentLineDocument/LineStatusReasonCode",), (), LINES),
    _line("BT-126", "Line", "AssociatedDocumentLineDocument/LineID", "ID"),
    _line("BT-127", "Line note", "AssociatedDocumentLineDocument/IncludedNote/Content", "Note"),
    _line("BT-129", "Quantity", _BILLED, _QUANTITY),
    _line("BT-130", "Unit", f"{_BILLED}/@unitCode", f"{_QUANTITY}/@unitCode"),
    _line("BT-131", "Line amount", f"{_LINE_SUMS}/LineTotalAmount", "LineExtensionAmount"),
    _line("BT-146", "Unit price", f"{_PRICE}/ChargeAmount", "Price/PriceAmount"),
    _line("BT-149", "Price base quantity", f"{_PRICE}/BasisQuantity", "Price/BaseQuantity"),
    _line(
        "BT-152",
        "Line VAT rate",
        f"{_LINE_SETTLED}/ApplicableTradeTax/RateApplicablePercent|ApplicablePercent",
        "Item/ClassifiedTaxCategory/Percent",
    ),
    _line("BT-153", "Item", f"{_PRODUCT}/Name", "Item/Name"),
    _line("BT-154", "Item description", f"{_PRODUCT}/Description", "Item/Description"),
    _line("BT-155", "Item number", f"{_PRODUCT}/SellerAssignedID", "Item/SellersItemIdentification/ID"),
    _line("BT-156", "Buyer's item number", f"{_PRODUCT}/BuyerAssignedID", "Item/BuyersItemIdentification/ID"),
    _line("BT-157", "Standard item number", f"{_PRODUCT}/GlobalID", "Item/StandardItemIdentification/ID"),
    _once("BT-106", "Sum of lines", f"{_SUMS}/LineTotalAmount", f"{_UBL_SUMS}/LineExtensionAmount"),
    _once("BT-107", "Allowances", f"{_SUMS}/AllowanceTotalAmount", f"{_UBL_SUMS}/AllowanceTotalAmount"),
    _once("BT-108", "Charges", f"{_SUMS}/ChargeTotalAmount", f"{_UBL_SUMS}/ChargeTotalAmount"),
    _once("BT-109", "Net total", f"{_SUMS}/TaxBasisTotalAmount", f"{_UBL_SUMS}/TaxExclusiveAmount"),
    _once("BT-110", "Total VAT", f"{_SUMS}/TaxTotalAmount[in currency]", "TaxTotal/TaxAmount[in currency]"),
    _once("BT-112", "Grand total", f"{_SUMS}/GrandTotalAmount", f"{_UBL_SUMS}/TaxInclusiveAmount"),
    _once("BT-113", "Paid amount", f"{_SUMS}/TotalPrepaidAmount", f"{_UBL_SUMS}/PrepaidAmount"),
    _once("BT-114", "Rounding", f"{_SUMS}/RoundingAmount", f"{_UBL_SUMS}/PayableRoundingAmount"),
    _once("BT-115", "Amount due", f"{_SUMS}/DuePayableAmount", f"{_UBL_SUMS}/PayableAmount"),
    _tax("BT-116", "VAT basis", "BasisAmount", "TaxableAmount"),
    _tax("BT-117", "VAT amount", "CalculatedAmount", "TaxAmount"),
    _tax("BT-118", "VAT category", "CategoryCode", "TaxCategory/ID"),
    _tax("BT-119", "VAT rate", "RateApplicablePercent|ApplicablePercent", "TaxCategory/Percent"),
]
TERMS = MappingProxyType({term.id: term for term in _ALL})
