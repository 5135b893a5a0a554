# `make help` prints the targets. Another interpreter than python3: `make book PYTHON=python3.12`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
KERNELS := $(VENV)/.kernels

.DEFAULT_GOAL := help
.PHONY: help book test lab refresh outputs audit performance clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Written last, so that an installation that broke off is taken up again.
$(INSTALLED): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The tests try the GPU kernels too, interpreted and compiled, which takes Triton and no GPU.
$(KERNELS): $(INSTALLED) requirements-kernels.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-kernels.txt
	@touch $@

book: $(INSTALLED)  ## build the book from its stored outputs and say where it is
	$(BIN)/jupyter-book build . --quiet
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: $(KERNELS)  ## run the whole suite, every chapter included
	$(BIN)/python -m pytest --nbval

lab: $(INSTALLED)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab book

refresh: $(INSTALLED)  ## execute every chapter anew and store its outputs
	$(BIN)/python book/refresh.py

outputs: $(INSTALLED)  ## write every figure and table of the stored pages to a file, for a codecheck
	$(BIN)/python book/outputs.py

audit: $(INSTALLED)  ## recompute a sample of every stored result, all of what rejection rests on; then damage copies
	$(BIN)/python -m lltd audit
	$(BIN)/python -m lltd audit random_search/monotone --ids 297
	$(BIN)/python -m lltd audit random_search/rejected --ids 2560
	$(BIN)/python tests/marathon.py

performance: $(INSTALLED)  ## measure the kernels against their peers
	$(BIN)/python -m lltd performance

clean:  ## remove what was built; the environment stays
	rm -rf _build build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
