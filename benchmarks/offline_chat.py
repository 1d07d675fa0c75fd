"""vLLM without a server: the requests of a file through `LLM.chat`. Run by the Python that has vLLM; see serving.py.

Reads a JSON file (`llm`: arguments of LLM; `requests`: messages, max_tokens, logprobs, structured_outputs, seed) and
writes a second one: seconds from the first request to the last reply, tokens read and written.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from vllm import LLM, SamplingParams
from vllm.sampling_params import StructuredOutputsParams


def parameters(request: dict[str, Any]) -> SamplingParams:
    return SamplingParams(
        temperature=0,
        seed=request["seed"],
        max_tokens=request["max_tokens"],
        logprobs=request["logprobs"],
        structured_outputs=StructuredOutputsParams(**request["structured_outputs"]),
    )


def main() -> None:
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    llm = LLM(**told["llm"])
    started = time.monotonic()
    messages = [request["messages"] for request in told["requests"]]
    replies = llm.chat(messages, [parameters(request) for request in told["requests"]], use_tqdm=False)
    seconds = time.monotonic() - started
    read = sum(len(reply.prompt_token_ids or ()) for reply in replies)
    written = sum(len(reply.outputs[0].token_ids) for reply in replies)
    told = {"seconds": seconds, "read": read, "written": written}
    Path(sys.argv[2]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
