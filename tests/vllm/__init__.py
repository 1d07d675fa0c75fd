"""The real vLLM, on the CPU. `make test-vllm` sets it up and runs these; elsewhere they aren't selected."""
