import os
from pathlib import Path

import pytest

from slmbatch.errors import InputError
from slmbatch.readers import find

from .made import write


def names(*inputs: object) -> list[str]:
    return [source.name for source in find([str(given) for given in inputs]).sources]


def test_a_folder_is_searched_to_any_depth_in_sorted_order(tmp_path: Path) -> None:
    write(tmp_path, b_txt=b"x", a_z_txt=b"x", a_b_pdf=b"x", c_csv=b"x")
    assert names(tmp_path) == ["a/b.pdf", "a/z.txt", "b.txt", "c.csv"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"x")
    write(tmp_path / ".git", config_txt=b"x")
    (tmp_path / ".b.txt").write_bytes(b"x")
    assert names(tmp_path) == ["a.txt"]


def test_a_file_given_directly_is_named_by_its_file_name(tmp_path: Path) -> None:
    write(tmp_path, deep_a_TXT=b"x")
    assert names(tmp_path / "deep" / "a.TXT") == ["a.TXT"]


def test_globs_reach_any_depth_and_name_files_from_their_fixed_part(tmp_path: Path) -> None:
    write(tmp_path, x_a_txt=b"x", x_y_b_txt=b"x", x_c_md=b"x")
    assert names(tmp_path / "**" / "*.txt") == ["x/a.txt", "x/y/b.txt"]
    assert names(tmp_path / "x" / "*.md") == ["c.md"]


def test_a_name_with_brackets_is_a_name_before_it_is_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "scan[1].pdf").write_bytes(b"x")
    assert names(tmp_path / "scan[1].pdf") == ["scan[1].pdf"]


def test_a_file_found_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"x", b_txt=b"x")
    assert names(tmp_path / "b.txt", tmp_path, tmp_path / "*.txt") == ["b.txt", "a.txt"]


def test_files_that_would_share_a_name_get_longer_ones(tmp_path: Path) -> None:
    write(tmp_path, one_in_a_txt=b"x", two_in_a_txt=b"x", three_a_txt=b"x", three_b_txt=b"x")
    assert names(tmp_path / "three", tmp_path / "one", tmp_path / "two") == [
        "a.txt",
        "b.txt",
        "one/in/a.txt",
        "two/in/a.txt",
    ]
    found = names(tmp_path / "one" / "in", tmp_path / "two" / "in", tmp_path / "three")
    assert found[2:] == ["three/a.txt", "b.txt"]
    assert found[0].endswith("/one/in/a.txt")
    assert len(set(found)) == 4


def test_folders_that_contain_themselves_end(tmp_path: Path) -> None:
    write(tmp_path, x_a_txt=b"x")
    (tmp_path / "x" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert names(tmp_path) == ["x/a.txt"]


def test_dangling_links_stay_in_and_pipes_and_unknown_types_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"x", c_heic=b"x", b_7z=b"x")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    found = find([str(tmp_path)])
    assert [source.name for source in found.sources] == ["a.txt", "gone.txt"]
    assert [path.name for path in found.skipped] == ["b.7z", "c.heic", "pipe.txt"]


@pytest.mark.parametrize("given", ["missing", "missing/*.pdf"])
def test_what_does_not_exist_is_named_with_a_remedy(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError, match="missing") as caught:
        find([str(tmp_path / given)])
    assert "check the path" in caught.value.remedy


def test_input_without_a_readable_file_says_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, a_heic=b"x", b_heic=b"x")
    with pytest.raises(InputError, match=r"\.heic \(2\)") as caught:
        find([str(tmp_path)])
    assert ".pdf" in caught.value.remedy
    with pytest.raises(InputError, match="no input"):
        find([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, a_txt=b"x", locked_b_txt=b"x")
    (tmp_path / "locked").chmod(0)
    with pytest.raises(InputError, match="can't be listed"):
        find([str(tmp_path)])
