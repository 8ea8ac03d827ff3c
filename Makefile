# Everything runs from nothing: each target makes .venv and installs what it needs, locked by hash.
# PYTHON=/path/to/python chooses the interpreter (3.11 to 3.13).
SHELL := /bin/sh
PYTHON ?= $(shell deploy/find-python.sh)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo campaigns test check audit bench faults fuzz lock clean help

help:
	@echo "make demo | test | check | audit | bench | faults | fuzz | lock | clean"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "ppewatch needs Python 3.11, 3.12 or 3.13 (set PYTHON=...)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: requirements/run.lock setup.cfg | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV) (some minutes the first time)"
	$(PIP_INSTALL) --require-hashes -r requirements/run.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@deploy/ensure-opencv.sh $(BIN)/python
	@touch $@

$(VENV)/.dev-installed: requirements/dev.lock $(VENV)/.run-installed
	$(PIP_INSTALL) --require-hashes -r requirements/dev.lock
	@deploy/ensure-opencv.sh $(BIN)/python
	@touch $@

# The main job on the embedded clip and the embedded broker. ARGS="--seconds 30" ends it by itself.
demo: $(VENV)/.run-installed
	$(BIN)/ppewatch demo $(ARGS)

# A test of servers, browsers and clocks that fails is tried once more, three of a run at most, and told with what failed the
# first time: on a busy machine the change is seldom to blame. Tests that compute, and those that count alerts under
# faults, get no second chance. ARGS="--reruns 0" takes it from all, to find what is left to chance.
TRIED_ONCE := rules judging history config models fuzz faults soak cluster/test_cluster_kills.py alerts/test_crashes.py
RETRIES := --reruns 1 --reruns-delay 1 --max-suite-reruns 3 --rerun-show-tracebacks \
	$(TRIED_ONCE:%=--rerun-exclude-path tests/%)

# Two processes, for half of the suite waits; a file stays in one of them, which keeps what it has built. Files go in
# the order of tests/conftest.py, where the longest are first, and not by their number of tests.
# System parts that the tests talk to are installed when that is allowed; else their tests are skipped and say so.
test: $(VENV)/.dev-installed
	@tests/install-peers.sh
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(RETRIES) $(ARGS)

# What is no part of the suite because it takes about a minute and more: the short forms of `make faults` and `ppewatch soak`,
# whole daemons watched at length, the notebook. Tests that share a daemon stay in one process.
campaigns: $(VENV)/.dev-installed
	@tests/install-peers.sh
	$(BIN)/python -m pytest -m campaign -n 2 --dist loadgroup $(RETRIES) $(ARGS)

check: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

# Known vulnerabilities of the locked dependencies; says so, and fails nothing, where no advisories can be reached.
audit: $(VENV)/.dev-installed
	$(BIN)/python requirements/audit.py

# Ratios beside those of benchmarks/ratios.json; ends with a failure when one is worse by more than its spread.
# ARGS="--store benchmarks/ratios.json" adds what was measured to them.
bench: $(VENV)/.dev-installed
	$(BIN)/ppewatch bench all --compare benchmarks/ratios.json $(ARGS)

# Injects every fault into the real daemon and prints what was lost; ends with a failure when anything was.
# ARGS="--short" in a few minutes, "--only broker" for some faults, "--markdown FILE --json FILE" to keep the table.
faults: $(VENV)/.dev-installed
	@tests/install-peers.sh
	$(BIN)/python tests/faults/campaign.py $(ARGS)

# Hostile input of every kind, each case told by its seed: a table, and a failure where anything was taken otherwise than
# it must be. ARGS="--share 0.1 --jobs 2" is a tenth, two inputs at once; ARGS="--help" tells the rest.
fuzz: $(VENV)/.dev-installed
	PYTHONPATH=tests $(BIN)/python -m fuzz.campaign $(ARGS)

# Resolves the versions anew within the bounds of setup.cfg.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet setup.cfg
lock: $(VENV)/.dev-installed
	$(LOCK) -o requirements/run.lock
	$(LOCK) --extra test --extra check --extra evaluate --extra train --extra int8 -c requirements/run.lock -o requirements/dev.lock

clean:
	rm -rf $(VENV) demo-output build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
