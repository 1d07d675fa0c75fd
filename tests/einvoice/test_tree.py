"""XML that means harm or isn't any is refused, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from slmbatch.einvoice.tree import MAX_DEPTH, MAX_XML_BYTES, XmlError, local, parse_xml

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    "content", [BOMB, BOMB.decode().encode("utf-16"), b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><a/>']
)
def test_a_document_type_is_refused_in_any_encoding(content: bytes) -> None:
    with pytest.raises(XmlError, match="document type"):
        parse_xml(content)


def test_no_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    with pytest.raises(XmlError):
        parse_xml(f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]><a>&e;</a>'.encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a>&undeclared;</a>",
        b'<?xml version="1.0" encoding="none such"?><a/>',
        b"<a>\xff</a>",
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<a>" + b" " * MAX_XML_BYTES + b"</a>",
    ],
    ids=["empty", "text", "open", "undeclared", "encoding", "bytes", "deep", "large"],
)
def test_what_cannot_be_read_is_an_error_with_a_reason(content: bytes) -> None:
    with pytest.raises(XmlError, match=r"\w"):
        parse_xml(content)


def test_blanks_before_the_declaration_are_passed_over() -> None:
    assert local(parse_xml(b'\r\n<?xml version="1.0"?><a xmlns="urn:x"/>')) == "a"
