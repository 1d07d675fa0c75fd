import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slmbatch.errors import SlmbatchError
from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.pool import Pool, still_at_work

from .made import text_pdf


def work(job: int) -> str:
    """Do what the job says: crash at 7, loop at 8, go on for long at 6, fill memory at 5, load numpy at 4.

    Else tell the number, at 9 that of the process.
    """
    if job == 7:
        os._exit(139)
    while job == 8:
        time.sleep(0.01)
    for _ in range(4 * (job == 6)):
        time.sleep(0.2)
        still_at_work()
    if job == 5:
        return str(len(bytearray(2**30)))
    if job == 4:
        threads = len(os.listdir("/proc/self/task"))
        import numpy  # noqa: F401

        return "no more threads" if len(os.listdir("/proc/self/task")) == threads else "more threads"
    if job == 9:
        return str(os.getpid())
    return str(job)


def tell_and_loop(diary: Path) -> str:
    """Tell that the job was begun, and never end it."""
    with diary.open("a") as stream:
        stream.write("begun\n")
    while True:
        time.sleep(0.01)


def lost_one(diary: Path) -> str:
    return f"lost {diary.name}"


def lost(job: int) -> str:
    return f"lost {job}"


def never(job: int) -> bool:
    return False


def test_a_crashing_worker_costs_only_its_own_job() -> None:
    pool = Pool(work, lost, workers=2)
    done = list(pool.map([1, 2, 7, 3, 7, *range(10, 30)], here=never))
    pool.close()
    assert done == ["1", "2", "lost 7", "3", "lost 7", *map(str, range(10, 30))]


def test_a_job_that_loops_is_lost_after_its_time() -> None:
    pool = Pool(work, lost, workers=2, seconds=0.5)
    assert list(pool.map([1, 8, 2], here=never)) == ["1", "lost 8", "2"]
    pool.close()


def test_a_job_whose_time_is_up_is_not_begun_again(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    pool = Pool(tell_and_loop, lost_one, workers=1, seconds=0.5)
    assert list(pool.map([diary], here=lambda _: False)) == ["lost diary"]
    pool.close()
    assert diary.read_text() == "begun\n"


def test_a_job_that_gets_on_may_take_longer() -> None:
    pool = Pool(work, lost, workers=1, seconds=0.5)
    assert list(pool.map([6, 8], here=never)) == ["6", "lost 8"]
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a limit of memory")
def test_a_job_that_fills_memory_is_lost_and_its_process_replaced() -> None:
    pool = Pool(work, lost, workers=1, memory=2**28)
    before, full, after = pool.map([9, 5, 9], here=never)
    pool.close()
    assert full == "lost 5"
    assert before != after


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux tells them")
def test_memory_of_a_worker_does_not_grow_with_the_cores() -> None:
    pool = Pool(work, lost, workers=1)
    assert list(pool.map([4], here=never)) == ["no more threads"]
    pool.close()


def test_cheap_jobs_are_done_here_and_in_order() -> None:
    pool = Pool(work, lost, workers=1)
    first, second, third = pool.map([9, 1, 9], here=lambda job: job == 1)
    pool.close()
    assert second == "1"
    assert first == third != str(os.getpid())


def test_no_process_starts_for_cheap_jobs() -> None:
    pool = Pool(work, lost, workers=1)
    assert list(pool.map([9], here=lambda job: True)) == [str(os.getpid())]


def test_no_more_jobs_are_taken_than_fit_into_the_window() -> None:
    taken = []

    def jobs() -> object:
        for job in range(10, 100):
            taken.append(job)
            yield job

    pool = Pool(work, lost, workers=1)
    results = pool.map(jobs(), here=never)  # type: ignore[arg-type]
    assert next(results) == "10"
    pool.close()
    assert taken == [10, 11, 12, 13]


def test_closing_stops_a_worker_that_loops() -> None:
    pool = Pool(work, lost, workers=1)
    results = pool.map([9, 8], here=never)
    process = int(next(results))
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 20
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_closing_the_reader_early_stops_its_processes(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i:02}.pdf").write_bytes(text_pdf([f"page {i}"]))
    batches = read(find([str(tmp_path)]), ReadOptions(workers=2))
    assert next(batches)[0].text == "page 0"
    batches.close()
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()]
        assert not any(b"spawn_main" in command for command in commands)


SCRIPT = """
import time
from slmbatch.readers.pool import Pool, still_at_work
if __name__ == "__main__":
    pool = Pool(time.sleep, print, workers=1)
    slept = pool.map([0, 1000], here=lambda _: False)
    next(slept)
    print(*pool._processes.executor._processes, flush=True)
    next(slept)
"""


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    """Tell a process that runs from one that is gone, or that nobody has taken note of yet."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or ") Z" not in stat.read_text()


ABANDONED = """
import sys
from slmbatch.readers import ReadOptions, find, read
if __name__ == "__main__":
    batches = read(find(sys.argv[1:]), ReadOptions(workers=1))
    print(next(batches)[0].text)
"""


def test_a_program_that_leaves_the_reader_open_still_ends(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ABANDONED)
    for i in range(9):
        (tmp_path / f"{i}.pdf").write_bytes(text_pdf([f"page {i}"]))
    command = [sys.executable, script, tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "page 0\n", "")


UNGUARDED = """
from slmbatch.readers.pool import Pool, still_at_work
list(Pool(abs, abs, workers=1).map([1], here=lambda job: False))
"""


def test_processes_that_cannot_start_are_an_error_and_not_lost_jobs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert SlmbatchError.__name__ in ended.stderr.splitlines()[-1]
