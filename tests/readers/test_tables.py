import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.errors import InputError
from slmbatch.readers import ReadOptions, count_rows, find, lines, read
from slmbatch.types import Document

from .made import write


def documents(path: Path, **options: object) -> list[Document]:
    found = find([str(path)])
    return [document for batch in read(found, ReadOptions(**options)) for document in batch]  # type: ignore[arg-type]


def texts(path: Path, **options: object) -> list[str | None]:
    return [document.problem or document.text for document in documents(path, **options)]


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_rows_are_documents_with_file_and_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", key=["a", None, "c"], text=["one", " \n", None])
    first, second, third = documents(path, id_column="key")
    assert (first.id, first.source, first.row, first.text) == ("a", str(path), 0, "one")
    assert (second.id, second.problem, second.pages) == ("t.parquet#1", "the text is empty", ())
    assert (third.id, third.row, third.problem) == ("c", 2, "the text is empty")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.large_string(), ["a", "b"], ["a", "b"]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"], ["a", "b", "a"]),
        (
            pa.binary(),
            ["ä".encode(), b"\xff"],
            ["ä", "the text is not valid UTF-8 at byte 0; convert the file or pass --encoding (e.g. cp1252)"],
        ),
        (pa.int64(), [1, 2], ["1", "2"]),
        (pa.list_(pa.string()), [["a"]], ["['a']"]),
    ],
)
def test_parquet_columns_of_any_type_become_text(
    tmp_path: Path, kind: object, values: list[object], expected: list[str]
) -> None:
    path = parquet(
        tmp_path / "t.parquet", text=pa.array(values).cast(kind) if kind != pa.binary() else pa.array(values)
    )
    assert texts(path) == expected


def test_parquet_strings_that_are_not_utf8_cost_their_row(tmp_path: Path) -> None:
    broken = pa.array([b"good", b"bad \xff"]).view(pa.string())
    good, bad = documents(parquet(tmp_path / "t.parquet", text=broken))
    assert good.text == "good"
    assert bad.problem is not None
    assert "not valid UTF-8 at byte 4" in bad.problem


def test_the_only_string_column_is_the_text(tmp_path: Path) -> None:
    assert texts(parquet(tmp_path / "t.parquet", n=[1], body=["b"])) == ["b"]
    assert texts(parquet(tmp_path / "t.parquet", n=["i"], body=["b"]), id_column="n") == ["b"]


def test_an_unclear_text_column_is_asked_for_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"x")
    parquet(tmp_path / "t.parquet", subject=["s"], body=["b"])
    with pytest.raises(InputError, match=r"t\.parquet: which column.*subject, body") as caught:
        read(find([str(tmp_path)]), ReadOptions())
    assert "--text-column" in caught.value.remedy


@pytest.mark.parametrize(("option", "flag"), [("text_column", "--text-column"), ("id_column", "--id-column")])
def test_a_missing_column_is_named_with_those_there_are_and_the_nearest(tmp_path: Path, option: str, flag: str) -> None:
    path = parquet(tmp_path / "t.parquet", Text=["s"], body=["b"])
    with pytest.raises(InputError, match="no column 'text'; the columns are: Text, body") as caught:
        documents(path, **{option: "text"})
    assert caught.value.remedy == f"did you mean {flag} Text?"


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no parquet at all, but long enough for one"])
def test_what_is_not_a_whole_parquet_file_is_an_error_up_front(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, t_parquet=data)
    with pytest.raises(InputError, match=r"t\.parquet: not a whole Parquet file") as caught:
        read(find([str(tmp_path)]), ReadOptions())
    assert caught.value.remedy


def test_a_parquet_column_whose_name_is_not_utf8_is_an_error_up_front(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", text=["a"], qqqq=["b"])
    path.write_bytes(path.read_bytes().replace(b"qqqq", b"q\xffqq"))
    with pytest.raises(InputError, match="not a whole Parquet file"):
        documents(path)


def test_a_damaged_row_group_is_named_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(3000)]}), path, row_group_size=1000, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(data)
    seen = 0
    with pytest.raises(InputError, match=r"t\.parquet: row group 1 of 3"):  # noqa: PT012  the loop is the point
        for batch in read(find([str(path)]), ReadOptions()):
            seen += len(batch)
    assert seen == 1000


def test_a_large_parquet_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    row = "a ticket of common length, " * 8
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), compression="none", use_dictionary=False) as writer:
        for start in range(0, 300_000, 100_000):
            writer.write_table(pa.table({"text": [f"{row}{i}" for i in range(start, start + 100_000)]}))
    found = find([str(path)])
    before = pa.total_allocated_bytes()
    peak_arrow = 0
    rows = 0
    tracemalloc.start()
    for batch in read(found, ReadOptions()):
        rows += len(batch)
        assert len(batch) <= 512
        if rows % 5120 == 0:
            peak_arrow = max(peak_arrow, pa.total_allocated_bytes() - before)
    _, peak_python = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == count_rows(found, ReadOptions()) == 300_000
    assert path.stat().st_size > 60_000_000
    assert peak_arrow < 6_000_000
    assert peak_python < 10_000_000


def test_limit_stops_in_the_middle_of_a_table(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", text=["a"] * 2000)
    assert len(documents(tmp_path, limit=700)) == 700
    assert documents(tmp_path, limit=0) == []


def test_csv_fields_may_hold_line_ends_delimiters_and_quotes(tmp_path: Path) -> None:
    write(tmp_path, t_csv=b'id,text\r\n1,"two\r\nlines, a comma and ""quotes"""\r\n\r\n2,plain\r\n')
    first, second = documents(tmp_path, id_column="id")
    assert first.text == 'two\r\nlines, a comma and "quotes"'
    assert (second.id, second.row, second.text) == ("2", 1, "plain")


@pytest.mark.parametrize("data", [b"id;text\n1;a,b\n", b"id\ttext\n1\ta,b\n", b'"id,x";text\n1;a,b\n'])
def test_csv_delimiters_are_seen_in_the_header(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, t_csv=data)
    assert texts(tmp_path) == ["a,b"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_csv_byte_order_marks_are_honoured(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, t_csv="text\nGrüße\n".encode(encoding))
    assert texts(tmp_path) == ["Grüße"]


def test_a_csv_row_that_is_not_in_the_encoding_costs_only_itself(tmp_path: Path) -> None:
    write(tmp_path, t_csv="text\nfirst\nGrüße\nlast\n".encode("cp1252"))
    first, second, last = texts(tmp_path)
    assert (first, last) == ("first", "last")
    assert second is not None
    assert "t.csv, line 3: not valid UTF-8" in second
    assert texts(tmp_path, encoding="cp1252") == ["first", "Grüße", "last"]


def test_a_csv_row_that_does_not_fit_costs_only_itself(tmp_path: Path) -> None:
    write(tmp_path, t_csv=b'id,text\n1,a,b\n2\n3,"x"y\n4,good\n5,"never\nclosed\n')
    found = texts(tmp_path)
    assert [text and text.partition("t.csv, ")[2] for text in found[:2]] == [
        "line 2: 3 fields where the header has 2",
        "line 3: 1 fields where the header has 2",
    ]
    assert found[2] is not None
    assert "line 4: not valid CSV" in found[2]
    assert found[3] == "good"
    assert found[4] is not None
    assert "line 6: not valid CSV (unexpected end of data); the 1 lines after it went with it" in found[4]
    assert len(found) == 5


def test_a_csv_field_may_be_very_long(tmp_path: Path) -> None:
    write(tmp_path, t_csv=b"text\n" + b"x" * 2_500_000 + b"\nshort\n")
    long, short = documents(tmp_path)
    assert (len(long.text), long.cut) == (2_000_000, True)
    assert (short.text, short.cut) == ("short", False)


def test_jsonl_lines_that_are_broken_cost_only_themselves(tmp_path: Path) -> None:
    write(
        tmp_path,
        t_jsonl=b'{"id": 7, "text": "a"}\n\n{"text": \n"b"\n{"id": 8}\n{"text": {"k": [1]}}\n{"text": null}\n\xff\n',
    )
    found = documents(tmp_path, id_column="id")
    assert [document.id for document in found] == [
        "7",
        "t.jsonl#1",
        "t.jsonl#2",
        "8",
        "t.jsonl#4",
        "t.jsonl#5",
        "t.jsonl#6",
    ]
    problems = [(document.problem or "").partition("t.jsonl, ")[2] for document in found]
    assert problems[1].startswith("line 3: not valid JSON")
    assert problems[2:4] == ["line 4: not a JSON object", "line 5: there is no 'text'"]
    assert found[4].text == '{"k":[1]}'
    assert found[5].problem == "the text is empty"
    assert problems[6].startswith("line 8: not valid JSON")


def test_jsonl_nested_without_end_costs_only_its_row(tmp_path: Path) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    write(tmp_path, t_jsonl=b'{"text": "a"}\n{"text": ' + deep + b'}\n{"text": "b"}\n')
    before, nested, after = documents(tmp_path)
    assert (before.text, after.text) == ("a", "b")
    assert "not valid JSON" in (nested.problem or "")


@pytest.mark.parametrize(
    "table",
    [
        {"t_csv": b"text\na\n" + b"x" * 100 + b"\nb\n"},
        {"t_jsonl": b'{"text": "a"}\n{"text": "' + b"x" * 100 + b'"}\n{"text": "b"}\n'},
    ],
)
def test_a_line_without_end_costs_only_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, bytes]
) -> None:
    monkeypatch.setattr(lines, "_MAX_FIELD_CHARS", 20)
    monkeypatch.setattr(lines, "_MAX_LINE_CHARS", 40)
    before, endless, after = documents(write(tmp_path, **table))
    assert (before.text, after.text) == ("a", "b")
    assert "line" in (endless.problem or "")


def test_jsonl_columns_are_the_keys_of_the_first_objects(tmp_path: Path) -> None:
    write(tmp_path, t_jsonl=b'{"n": 1, "body": "a"}\n{"n": 2, "body": null}\n{"n": 3, "body": "c"}\n')
    assert texts(tmp_path) == ["a", "the text is empty", "c"]
    with pytest.raises(InputError, match="the columns are: n, body") as caught:
        documents(tmp_path, text_column="boby")
    assert caught.value.remedy == "did you mean --text-column body?"


def test_jsonl_without_objects_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, t_jsonl=b"[1]\nhello\n")
    with pytest.raises(InputError, match="is a JSON object"):
        documents(tmp_path)


def test_a_table_of_no_bytes_is_one_document_with_a_problem(tmp_path: Path) -> None:
    write(tmp_path, a_csv=b"", b_jsonl=b"", c_csv=b"text\nx\n")
    assert texts(tmp_path) == ["the file is empty", "the file is empty", "x"]


def test_rows_are_counted_only_where_that_is_free(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", text=["a"] * 7)
    write(tmp_path, a_txt=b"x", b_pdf=b"x")
    assert count_rows(find([str(tmp_path)]), ReadOptions()) == 9
    write(tmp_path, c_csv=b"text\nx\n")
    assert count_rows(find([str(tmp_path)]), ReadOptions()) is None


def test_tables_and_files_keep_the_input_order(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"1", b_csv=b"text\n2\n3\n", c_md=b"4")
    assert texts(tmp_path) == ["1", "2", "3", "4"]


def test_an_unknown_encoding_is_an_error_up_front(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"1")
    for encoding in ("uft-8", "hex"):
        with pytest.raises(InputError, match=f"--encoding {encoding}"):
            read(find([str(tmp_path)]), ReadOptions(encoding=encoding))
