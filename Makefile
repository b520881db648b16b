# Everything that is done with a clone. Needs Python 3.11, git and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
# As pip does: a company's own certificate authority is known to the system, not to uv.
UV := $(BIN)/uv --system-certs
SOURCES := api benchmarks cli dashboards orchestration pipelines settings tests
WORKERS ?= auto
PYTEST_OPTIONS ?=

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(STAMP) ## Run everything on this machine until Ctrl-C (the first time: installs, loads a demo)
	@exec $(BIN)/ideamint up

test: $(STAMP) ## Run the tests; IDEAMINT_TEST_ELECTIONS=folder adds the real elections in it
	$(BIN)/pytest -m "not browser" -n $(WORKERS) $(PYTEST_OPTIONS)

test-browser: $(STAMP) ## Run the tests in a real browser (needs chromium)
	$(BIN)/pytest -m browser $(PYTEST_OPTIONS)

proofs: $(STAMP) ## Run the proofs at full size and print their figures, some 40 minutes (the tests run them small)
	$(BIN)/pytest tests/proofs --full $(PYTEST_OPTIONS)
	$(BIN)/python -m benchmarks.held
	$(BIN)/python -m benchmarks.settle
	$(BIN)/python -m benchmarks.history

coverage: $(STAMP) ## Run the tests and show which lines and branches none of them reaches
	$(BIN)/pytest -m "not browser" -n $(WORKERS) --cov --cov-report=term-missing:skip-covered $(PYTEST_OPTIONS)

bench: $(STAMP) ## Measure beside PostgreSQL alone (needs Go), and an import if IDEAMINT_TEST_ELECTIONS is set
	$(BIN)/python -m benchmarks.allocate
	$(BIN)/python -m benchmarks.bulk
	@if [ -n "$${IDEAMINT_TEST_ELECTIONS:-}" ]; then $(BIN)/python -m benchmarks.import_election; fi

check: format-check lint types contracts sql-lint compose-check docs-check test test-browser ## Run every check there is

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP) ## Lint the Python
	$(BIN)/ruff check .

types: $(STAMP) ## Check the types
	$(BIN)/mypy

contracts: $(STAMP) ## Check which room imports which
	$(BIN)/lint-imports

sql-lint: $(STAMP) ## Lint the SQL of dbt
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project

compose-check: ## Check docker-compose.yml with Compose's own loader (needs Go)
	@if command -v go > /dev/null; then cd deploy/check-compose && go run . ../../docker-compose.yml ../compose.env.example; \
	elif [ "$${CI:-}" = true ]; then echo "compose-check needs Go" >&2; exit 1; \
	else echo "compose-check is left out: Go is not installed"; fi

docs: $(STAMP) ## Write openapi.json, docs/problems.md and docs/events.md from the code
	$(BIN)/python -m cli.generate.openapi openapi.json
	$(BIN)/python -m cli.generate.problems docs/problems.md
	$(BIN)/python -m cli.generate.events docs/events.md

docs-check: $(STAMP)
	$(BIN)/python -m cli.generate.openapi --check openapi.json
	$(BIN)/python -m cli.generate.problems --check docs/problems.md
	$(BIN)/python -m cli.generate.events --check docs/events.md

lock: $(STAMP) ## Resolve the dependencies of pyproject.toml anew into requirements/
	$(UV) pip compile $(LOCK_OPTIONS) --extra dev pyproject.toml -o requirements/dev.txt
	$(UV) pip compile $(LOCK_OPTIONS) -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt
	echo uv | $(UV) pip compile $(LOCK_OPTIONS) -c requirements/dev.txt - -o requirements/uv.txt
LOCK_OPTIONS := --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate

clean: ## Remove the environment and caches; .data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dbt_project/target dbt_project/logs

# The environment is as the lock says; it is made again when the lock changes.
$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	@for python in python3.11 python3 python; do \
		if command -v $$python > /dev/null && \
			$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then echo "Ideamint needs Python 3.11; neither python3.11 nor python3 is that. Install it and run make again." >&2; exit 1; fi; \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		rm -rf $(VENV); \
		$$found -m venv $(VENV) || { echo "$$found cannot make an environment; on Debian: apt-get install python3.11-venv" >&2; exit 1; }; \
	fi
	@echo "Installing what requirements/dev.txt locks into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip sync --quiet --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

.PHONY: help up test test-browser proofs coverage bench check format format-check lint types contracts sql-lint compose-check docs docs-check lock clean
