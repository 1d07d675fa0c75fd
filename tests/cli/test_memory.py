"""What a run does with memory: it goes back to the system, and isn't kept by Arrow's own allocator."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

AFTER_A_COMMAND = """
import sys
from slmbatch.cli.main import main
sys.argv = ["slmbatch", "--version"]
try:
    main()
except SystemExit:
    import pyarrow
    print(pyarrow.default_memory_pool().backend_name)
"""


@pytest.mark.parametrize(("chosen", "used"), [(None, "system"), ("mimalloc", "mimalloc")])
def test_arrow_takes_memory_from_the_system_unless_told_otherwise(chosen: str | None, used: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    if chosen:
        environment["ARROW_DEFAULT_MEMORY_POOL"] = chosen
    ran = subprocess.run(
        [sys.executable, "-c", AFTER_A_COMMAND], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split()[-1] == used
