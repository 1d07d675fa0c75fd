"""E-invoices: XML in the syntaxes CII and UBL, read into the business terms of EN 16931."""
