"""The child process that serves a GGUF file: `python -m slmbatch.engines.llamacpp_server`, started by child.py.

Reads one JSON line (model, slots, context_tokens, threads, key) from standard input, answers with one JSON line that
holds the address, and ends when standard input closes.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve until the parent goes away."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints belongs into the log
    configuration = json.loads(sys.stdin.readline())

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = configuration["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [configuration["key"]]
    params.ui = False
    params.verbosity = 2  # warnings: a line per request would make the log grow with the rows
    params.n_parallel = configuration["slots"]
    params.n_ctx = configuration["slots"] * configuration["context_tokens"]
    params.cpuparams.n_threads = configuration["threads"]
    params.cpuparams_batch.n_threads = configuration["threads"]
    params.n_threads_http = configuration["slots"] + 2
    params.cache_ram_mib = 0  # every document is new: only the fixed part is worth caching, and that stays in the slots
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address}), file=answers, flush=True)
    sys.stdin.read()
    os._exit(0)  # nothing to save, and the library's own shutdown waits for slots


if __name__ == "__main__":
    main()
