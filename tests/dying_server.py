"""A server that dies and hangs on demand, started as the real one is: see slmbatch/engines/child.py for the protocol.

The configuration may hold `start` ("exit": end before listening; "sleep": never say an address). A request is answered
with its own last message. Words in a message ask for trouble: POISON ends the process each time, POISON-ONCE and
HANG-ONCE only while the file `marks`/word isn't there, HANG never answers, BUSY-ONCE answers 500 once, then dies.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIGURATION = {}


def die(why: str) -> None:
    print(f"dying_server: {why}", file=sys.stderr, flush=True)
    os._exit(3)


def first(word: str) -> bool:
    """Whether this is the first time that any server of this test saw the word."""
    try:
        (Path(CONFIGURATION["marks"]) / word).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        if "ALWAYS" in CONFIGURATION:
            die("I always die")
        if "POISON" in text and ("POISON-ONCE" not in text or first("POISON-ONCE")):
            die("the poison was in: " + text)
        if "HANG" in text and ("HANG-ONCE" not in text or first("HANG-ONCE")):
            time.sleep(3600)
        if "BUSY-ONCE" in text and first("BUSY-ONCE"):
            self.answer(500, {})
            threading.Timer(0.05, die, ["after being busy"]).start()
            return
        time.sleep(float(CONFIGURATION.get("latency_s", "0")))
        message = {"role": "assistant", "content": text}
        self.answer(200, {"choices": [{"message": message, "finish_reason": "stop"}]})

    def answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


def main() -> None:
    CONFIGURATION.update(json.loads(sys.stdin.readline()))
    if CONFIGURATION.get("start") == "exit":
        die("I can't start: the model is damaged")
    if CONFIGURATION.get("start") == "sleep":
        sys.stdin.read()
        os._exit(0)
    server = Server(("127.0.0.1", 0), Connection)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
