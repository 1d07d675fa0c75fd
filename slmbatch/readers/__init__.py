"""Anything that can be read -> Document: folders, tables, text, HTML, mail and PDF.

found = find(["tickets.parquet", "invoices/"])
for batch in read(found, ReadOptions(limit=100)): ...
"""

from slmbatch.readers.find import find
from slmbatch.readers.read import count_rows, read
from slmbatch.readers.sources import Found, ReadOptions, Source

__all__ = ["Found", "ReadOptions", "Source", "count_rows", "find", "read"]
