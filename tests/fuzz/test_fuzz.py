from pathlib import Path

from .reading import read_blindly, write
from .whole import whole


def test_broken_files_of_every_kind_end_no_run_and_crash_no_reader(tmp_path: Path) -> None:
    write(tmp_path, range(10 * len(whole())), seed=0)
    seen = read_blindly(tmp_path, workers=2)
    assert seen.findings == []
    assert seen.readable > 0
    assert seen.refused > 0


def test_a_broken_file_depends_on_its_seed_and_number_only(tmp_path: Path) -> None:
    one, all_of_them = tmp_path / "one", tmp_path / "all"
    for folder, numbers in ((one, [7]), (all_of_them, range(9))):
        folder.mkdir()
        write(folder, numbers, seed=0)
    (path,) = one.iterdir()
    assert path.read_bytes() == (all_of_them / path.name).read_bytes()
