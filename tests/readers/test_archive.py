import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.readers import ReadOptions, count_rows, find, read
from slmbatch.readers.archive import members, safe_name, unique_names
from slmbatch.types import Document

from .made import mail, text_pdf, write, zipped


def documents(*inputs: Path, **options: object) -> dict[str, Document]:
    """Read inputs; every id once, and as many rows as were counted, where they were."""
    found, chosen = find([str(one) for one in inputs]), ReadOptions(workers=1, **options)  # type: ignore[arg-type]
    got = [document for batch in read(found, chosen) for document in batch]
    assert count_rows(found, chosen) in {None, len(got)}
    by_id = {document.id: document for document in got}
    assert len(by_id) == len(got)
    return by_id


def archive(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    return path


def problem(tmp_path: Path, data: bytes, name: str = "a.zip") -> str:
    return documents(archive(tmp_path, data))[name].problem or ""


def test_the_files_of_an_archive_are_documents_in_the_order_of_a_folder(tmp_path: Path) -> None:
    files = {"b.txt": b"bee", "x/a.pdf": text_pdf(["ay"]), "x/": b"", ".hidden.txt": b"h", "__MACOSX/b.txt": b"m"}
    write(tmp_path, c_txt=b"cee")
    got = documents(archive(tmp_path, zipped(files)), tmp_path / "c.txt")
    assert [(one.id, one.text, one.parent) for one in got.values()] == [
        ("a.zip/b.txt", "bee", None),
        ("a.zip/x/a.pdf", "ay", None),
        ("c.txt", "cee", None),
    ]
    assert {one.source for one in got.values()} == {str(tmp_path / "a.zip"), str(tmp_path / "c.txt")}


def test_unknown_types_are_skipped_and_counted_as_in_folders(tmp_path: Path) -> None:
    found = find([str(archive(tmp_path, zipped({"a.txt": b"x", "x/b.xyz": b"y"})))])
    assert [source.name for source in found.sources] == ["a.zip/a.txt"]
    assert found.skipped == (tmp_path / "a.zip" / "x" / "b.xyz",)


def test_tables_links_and_encrypted_files_are_unreadable_with_a_remedy(tmp_path: Path) -> None:
    out = io.BytesIO(zipped({"a.csv": b"text\nx\n"}))
    with zipfile.ZipFile(out, "a") as opened:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("locked.txt", "secret")
        opened.infolist()[-1].flag_bits |= 1  # only the central directory says so, which is what counts
    got = documents(archive(tmp_path, out.getvalue()))
    assert "a table inside an archive" in (got["a.zip/a.csv"].problem or "")
    assert "a link" in (got["a.zip/link.txt"].problem or "")
    assert "encrypted" in (got["a.zip/locked.txt"].problem or "")


def test_names_cannot_lead_out_of_the_archive_and_stay_unique(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name in ("../../a.txt", "/a.txt", "C:\\x\\a.txt", "x/a.txt", "a~2.txt"):
            opened.writestr(name, name)
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("x/a.txt", "x/a.txt")
    got = documents(archive(tmp_path, out.getvalue()))
    assert {one.id.removeprefix("a.zip/"): one.text for one in got.values()} == {
        "a.txt": "../../a.txt",
        "a~2.txt": "a~2.txt",
        "a~3.txt": "/a.txt",
        "x/a.txt": "C:\\x\\a.txt",
        "x/a~2.txt": "x/a.txt",
        "x/a~3.txt": "x/a.txt",
    }


@given(st.lists(st.text(alphabet="a~2./\\:", max_size=6), max_size=12))
def test_any_names_become_unique_and_stay_inside(names: list[str]) -> None:
    made = unique_names([safe_name(name) for name in names])
    assert len(set(made)) == len(made) == len(names)
    assert not any(part in {"", ".", ".."} for name in made for part in name.split("/"))


def test_thousands_of_files_of_one_name_are_numbered_at_once() -> None:
    assert unique_names(["a.txt"] * 20_000)[-1] == "a~20000.txt"


def test_names_without_a_declared_encoding_are_utf_8_or_dos(tmp_path: Path) -> None:
    data = zipped({"gr__n.txt": b"x", "gr_.txt": b"y"})
    data = data.replace(b"gr__n.txt", "grün.txt".encode()).replace(b"gr_.txt", "grü.txt".encode("cp437"))
    assert [one.name for one in members(data)] == ["grü.txt", "grün.txt"]


def test_archives_in_archives_are_read_to_the_second(tmp_path: Path) -> None:
    third = zipped({"deep.txt": b"deep"})
    second = zipped({"b.txt": b"bee", "c.zip": third, "d.xyz": b"?"})
    got = documents(archive(tmp_path, zipped({"b.zip": second, "z.txt": b"zed"})))
    assert {one.id: one.text or one.problem for one in got.values()} == {
        "a.zip/b.zip/b.txt": "bee",
        "a.zip/b.zip/c.zip": "archives in archives are not read any deeper; unpack it and give its files as input",
        "a.zip/b.zip/d.xyz": "files of this type can't be read",
        "a.zip/z.txt": "zed",
    }


def test_mails_in_archives_give_up_their_attachments(tmp_path: Path) -> None:
    message = mail()
    message.add_attachment(text_pdf(["one"]), maintype="application", subtype="pdf", filename="bill.pdf")
    got = documents(archive(tmp_path, zipped({"m.eml": message.as_bytes()})), attachments="apart")
    assert [(one.id, one.parent) for one in got.values()] == [
        ("a.zip/m.eml", None),
        ("a.zip/m.eml/bill.pdf", "a.zip/m.eml"),
    ]


def test_a_bomb_is_one_row_that_says_so(tmp_path: Path) -> None:
    data = zipped({f"{number}.txt": b"\0" * 50_000 for number in range(5)})
    data = data.replace((50_000).to_bytes(4, "little"), (250 * 2**20).to_bytes(4, "little"))
    got = documents(archive(tmp_path, data))
    assert list(got) == ["a.zip"]
    assert "would unpack to 1310720000 bytes" in (got["a.zip"].problem or "")


def test_a_file_that_says_it_is_smaller_than_it_is_gets_no_further(tmp_path: Path) -> None:
    data = zipped({"a.txt": b"\0" * 50_000})
    lying = data.replace((50_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert lying != data
    assert "damaged in its archive" in problem(tmp_path, lying, "a.zip/a.txt")


def test_too_large_a_file_costs_only_itself(tmp_path: Path) -> None:
    data = zipped({"a.txt": b"\0" * 50_000, "b.txt": b"bee"})
    lying = data.replace((50_000).to_bytes(4, "little"), (300 * 2**20).to_bytes(4, "little"))
    got = documents(archive(tmp_path, lying))
    assert "more than 268435456" in (got["a.zip/a.txt"].problem or "")
    assert got["a.zip/b.txt"].text == "bee"


def test_damaged_and_empty_archives_are_a_row(tmp_path: Path) -> None:
    assert "not a zip archive" in problem(tmp_path, b"hello")
    assert "not a zip archive" in problem(tmp_path, zipped({"a.txt": b"x"})[:-30])
    assert problem(tmp_path, zipped({})) == "the archive is empty"
    assert problem(tmp_path, b"") == "the file is empty"
    broken = bytearray(zipped({"a.txt": b"x" * 5000}))
    broken[40] ^= 0xFF
    assert "damaged in its archive" in problem(tmp_path, bytes(broken), "a.zip/a.txt")
