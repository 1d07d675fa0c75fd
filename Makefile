# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= demo-out

.PHONY: help demo demo-classify demo-extract test check bench clean
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
	$(BIN)/slmbatch report $(OUT)/tickets --gold sample_docs/tickets.expected.csv

demo-extract: $(VENV)/.installed
	$(BIN)/slmbatch extract sample_docs/invoices --schema schemas/invoice-header.schema.json \
	    -o $(OUT)/invoices --overwrite --quiet
	$(BIN)/slmbatch report $(OUT)/invoices --gold sample_docs/invoices.expected.jsonl

test: $(VENV)/.installed  ## set up what the tests need, and pass them
	$(BIN)/slmbatch models pull
	$(BIN)/python -m pytest

check: $(VENV)/.installed  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed  ## orchestration against a bare HTTP loop, and the embedded engine against itself
	$(BIN)/python benchmarks/orchestration.py
	$(BIN)/python benchmarks/embedded.py

clean:  ## remove what make has made
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache
