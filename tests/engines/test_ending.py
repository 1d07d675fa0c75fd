"""Why a server ended, from what real servers log."""

import signal

import pytest

from slmbatch.engines.ending import ending

# Lines as vLLM 0.32, torch 2.13 and llama.cpp write them.
MEMORY = [
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB",
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    "ValueError: Free memory on device (3.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.9)",
    "RuntimeError: Worker failed with error 'Available memory on node 0 (11.72/14.59 GiB) on kv cache allocation is "
    "less than requested memory for kv (400.0 GiB).",
    "RuntimeError: [enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate",
    "ggml_backend_cuda_buffer_type_alloc_buffer: failed to allocate CUDA0 buffer of size 4294967296",
]
CORE = "core_client.py:817] [shutdown] MPClient: engine core exited unexpectedly; starting cleanup"


@pytest.mark.parametrize("line", MEMORY)
def test_memory_that_ran_out_is_told_with_what_to_do(line: str) -> None:
    told = ending(1, f"INFO loading\n{line}\nINFO shutting down\n", hung=False)
    assert told.what == "it ran out of memory, exit code 1"
    assert "smaller model" in told.remedy


def test_a_kill_from_outside_may_be_the_systems_for_memory() -> None:
    assert "as the system does when memory runs out" in ending(-signal.SIGKILL, "INFO fine", hung=False).what


def test_a_hang_is_ours_to_know_whatever_the_signal() -> None:
    assert ending(-signal.SIGKILL, "CUDA out of memory", hung=True).what.startswith("it hung")


def test_any_other_death_is_told_by_its_exit() -> None:
    assert ending(0, CORE, hung=False).what == "its engine process died, exit code 0"
    assert ending(-signal.SIGSEGV, "INFO fine", hung=False).what == "signal 11"
    assert ending(3, "", hung=False).what == "exit code 3"
