from pathlib import Path

from .reading import read_blindly, write
from .whole import whole


def test_broken_files_of_every_kind_end_no_run_and_crash_no_reader(tmp_path: Path) -> None:
    write(tmp_path, range(10 * len(whole())), seed=0)
    seen = read_blindly(tmp_path, workers=2)
    assert seen.findings == []
    assert seen.readable > 0
    assert seen.refused > 0


def test_the_same_seed_breaks_a_file_in_the_same_way(tmp_path: Path) -> None:
    """The kind at place 3 is a text, which has no date of today in it."""
    one, more = tmp_path / "one", tmp_path / "more"
    for folder, numbers in ((one, [3]), (more, range(5))):
        folder.mkdir()
        write(folder, numbers, seed=0)
    (path,) = one.iterdir()
    assert path.suffix == ".txt"
    assert path.read_bytes() == (more / path.name).read_bytes()
