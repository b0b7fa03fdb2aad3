# The one front door. Each target makes .venv with the machine's python3 (>= 3.11) and pip,
# installs what it needs, and runs. `make demo` and `make test` are all a newcomer needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-real test-closure test-slow test-slurm lint docs bench dr2 clean

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "chandelle needs python >= 3.11, $(PYTHON) is $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One stamp for each set of extras, renewed when pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.$(if $(filter-out base,$*),[$*])'
	@touch $@

demo: $(VENV)/.installed-base  ## simulate a survey, fit it, find Om, write demo/report/index.html
	$(BIN)/chandelle demo $(DEMO)

test: $(VENV)/.installed-test  ## the tests that a change must pass (under 15 minutes on 2 cores)
	$(PYTEST) --numprocesses logical --maxprocesses 4 --dist loadfile

test-real: $(VENV)/.installed-test  ## the tests on real data; fails where the data are absent
	CHANDELLE_REQUIRE_DATA=1 $(PYTEST) -m real

test-slurm: $(VENV)/.installed-test  ## tasks on a real Slurm of this machine (root; slurmctld slurmd slurm-client munge)
	$(PYTEST) -m slurm

test-slow: $(VENV)/.installed-test  ## long comparisons with outside codes and of engines
	$(PYTEST) -m slow --numprocesses logical --maxprocesses 4 --dist loadfile

test-closure: $(VENV)/.installed-test  ## hundreds of simulated samples, fitted and compared with truth
	$(PYTEST) -m closure -s

lint: $(VENV)/.installed-lint $(VENV)/.installed-test  ## format, lint, types, docstrings, layers, spelling
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

docs: $(VENV)/.installed-docs  ## the pages, every notebook executed, warnings are errors
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.installed-test  ## accuracy, speed and memory, each against a peer in the same run
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

dr2: $(VENV)/.installed-test  ## the ZTF SN Ia DR2 of $$ZTFCOSMODIR, from light curves to slopes
	$(BIN)/python benchmarks/dr2.py

clean:  ## remove what the targets made
	rm -rf $(VENV) docs/_build docs/reference/generated .pytest_cache .ruff_cache
