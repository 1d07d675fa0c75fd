"""Stands in for the program `vllm` where the real one can't be made to fail as needed: see VllmEngine.

The words before `serve` say what it does: a file for notes, then `no-memory`, `crash` (print such a log, end), `serve`
(answer), `hang` (answer nothing once, then serve), `stubborn` (ignore the request to end, and have a process that does
too). It knows one model, "made" of 512 tokens; a token is a word. Asked for a reply it says "yes".
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NOTES, WAY = Path(sys.argv[1]), sys.argv[2]
ARGUMENTS = sys.argv[3:]
# As vLLM 0.32 logs when the context doesn't fit (v1/core/kv_cache_utils.py).
NO_MEMORY = (
    "ValueError: To serve at least one request with the model's max seq len (131072), 16.0 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (3.27 GiB)."
)


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        models = {"data": [{"id": "made", "root": "/models/made", "max_model_len": 512}]}
        self.answer(200, {} if self.path == "/health" else models)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {os.environ.get('VLLM_API_KEY')}":
            self.answer(401, {"error": {"message": "Unauthorized"}})
        elif self.path == "/tokenize":
            self.answer(200, {"count": len(body["prompt"].split())})
        else:
            if WAY == "hang" and not NOTES.with_suffix(".hung").exists():
                NOTES.with_suffix(".hung").touch()
                time.sleep(3600)
            NOTES.with_suffix(".body").write_text(json.dumps(body))
            self.answer(200, {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]})

    def answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_address = True  # as vLLM does


def main() -> None:
    watched = {name: os.environ.get(name) for name in ("VLLM_API_KEY", "CUDA_VISIBLE_DEVICES", "HF_HUB_OFFLINE")}
    NOTES.write_text(json.dumps({"arguments": ARGUMENTS, "environment": watched}))
    if WAY == "no-memory":
        sys.exit(NO_MEMORY)
    if WAY == "crash":
        sys.exit("ValueError: the weights are no weights")
    if WAY == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)  # a worker"])
    Server(("127.0.0.1", int(ARGUMENTS[ARGUMENTS.index("--port") + 1])), Connection).serve_forever()


if __name__ == "__main__":
    main()
