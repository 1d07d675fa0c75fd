import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.html import html_text
from slmbatch.readers.read import FAILED, read_file
from slmbatch.readers.sources import Source
from slmbatch.types import Document

from .made import write


def document(path: Path, **options: object) -> Document:
    [[found]] = read(find([str(path)]), ReadOptions(**options))  # type: ignore[arg-type]
    return found


def test_a_text_file_is_one_page_named_by_its_path(tmp_path: Path) -> None:
    write(tmp_path, sub_a_txt="Grüße\r\nBob".encode())
    found = document(tmp_path)
    assert (found.id, found.source, found.row) == ("sub/a.txt", str(tmp_path / "sub" / "a.txt"), None)
    assert found.text == "Grüße\nBob"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("suffix", ["txt", "html"])
def test_byte_order_marks_are_honoured(tmp_path: Path, encoding: str, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes("Grüße".encode(encoding))
    assert document(tmp_path).text == "Grüße"


@pytest.mark.parametrize(("data", "at"), [(b"ab\xff", 2), (b"ab\xc3", 2)])
def test_text_that_is_not_utf8_says_where_and_what_to_do(tmp_path: Path, data: bytes, at: int) -> None:
    write(tmp_path, a_txt=data)
    problem = f"not valid UTF-8 at byte {at}; convert the file or pass --encoding (e.g. cp1252)"
    assert document(tmp_path).problem == problem
    assert document(tmp_path, encoding="cp1252").problem is None


def test_a_byte_order_mark_that_is_wrong_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"\xef\xbb\xbfab\xff")
    found = document(tmp_path, encoding="cp1252")
    assert found.problem == "not valid UTF-8 at byte 5, although its first bytes say so; convert the file"


def test_what_nobody_foresaw_is_the_problem_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"hello")
    source = Source(tmp_path / "a.txt", "a.txt", "text")
    [found] = read_file(source, ReadOptions(encoding="klingon"))  # which `read` would have refused
    assert found.problem == f"{FAILED} (LookupError)"


def test_utf16_without_a_mark_is_a_problem_and_a_stray_nul_is_not(tmp_path: Path) -> None:
    write(tmp_path, a_txt="hello".encode("utf-16-le"))
    assert "UTF-16" in (document(tmp_path).problem or "")
    assert document(tmp_path, encoding="utf-16-le").text == "hello"
    write(tmp_path, a_txt=b"a log after a power cut\0\n")
    assert document(tmp_path).text == "a log after a power cut\n"


def test_a_text_of_50_megabytes_is_cut_even_within_a_character(tmp_path: Path) -> None:
    write(tmp_path, a_txt="€äx".encode() * 8_000_000)
    found = document(tmp_path)
    assert (len(found.text), found.cut, found.problem) == (2_000_000, True, None)


def test_files_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"", b_html=b"<p> </p>", c_txt=b" \n")
    (tmp_path / "d.txt").symlink_to(tmp_path / "nowhere")
    write(tmp_path, e_txt=b"x", f_txt=b"x")
    (tmp_path / "e.txt").chmod(0)
    found = find([str(tmp_path)])
    (tmp_path / "f.txt").unlink()
    problems = [document.problem for batch in read(found, ReadOptions()) for document in batch]
    missing = "the file can't be read: No such file or directory"
    denied = None if os.geteuid() == 0 else "the file can't be read: Permission denied"
    assert problems == ["the file is empty", "the text is empty", "the text is empty", missing, denied, missing]


def test_html_is_read_as_it_is_seen() -> None:
    markup = """<html><head><title>no</title><style>p{}</style></head><body><h1>Invoice&nbsp;7</h1>
    <p>Dear <b>Bob</b>,<br>please&amp;thanks</p><script>no()</script><!-- no -->
    <table><tr><th>Item</th><th>Price</th></tr> <tr><td><p>Paper</p></td>
    <td>3,50&nbsp;€</td></tr><tr><td></td><td>total</td></tr></table><ul><li>a<li>b</ul><pre>x
    y</pre></body></html>"""
    assert html_text(markup) == ("Invoice 7\nDear Bob,\nplease&thanks\nItem\tPrice\nPaper\t3,50 €\n\ttotal\na\nb\nx\ny")


@pytest.mark.parametrize(
    "head",
    [
        b'<meta charset="iso-8859-1">',
        b'<META http-equiv=x content="text/html; charset=windows-1252">',
        b"<meta charset=latin1>",
    ],
)
def test_html_declares_its_own_charset(tmp_path: Path, head: bytes) -> None:
    write(tmp_path, a_html=head + "<p>5 € für Grüße</p>".encode("cp1252"))
    assert document(tmp_path).text == "5 € für Grüße"


@pytest.mark.parametrize("charset", [b"utf-16", b"no-such-charset"])
def test_html_with_a_false_declaration_is_read_as_utf8(tmp_path: Path, charset: bytes) -> None:
    write(tmp_path, a_html=b"<meta charset=" + charset + b">" + "Grüße".encode())
    assert document(tmp_path).text == "Grüße"


def test_html_that_is_not_what_it_declares_follows_the_encoding(tmp_path: Path) -> None:
    write(tmp_path, a_html=b"<meta charset=utf-8>" + "Grüße".encode("cp1252"))
    assert "not valid UTF-8 at byte 22" in (document(tmp_path).problem or "")
    assert document(tmp_path, encoding="cp1252").text == "Grüße"


def test_html_without_a_charset_follows_the_encoding(tmp_path: Path) -> None:
    write(tmp_path, a_html="Grüße".encode("cp1252"))
    assert "not valid UTF-8 at byte 2" in (document(tmp_path).problem or "")
    assert document(tmp_path, encoding="cp1252").text == "Grüße"


def test_html_nested_very_deeply_is_read() -> None:
    assert html_text("<div><b>" * 3000 + "deep") == "deep"


@settings(deadline=None)  # the first example loads the parser
@given(st.text())
def test_any_text_survives_as_html(text: str) -> None:
    found = html_text(text)
    assert "\x1e" not in found
    assert "\x1f" not in found
    assert "\n\n" not in found
