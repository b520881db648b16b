# Development commands. Requirements: Python 3.11, git and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
# Use the system's certificates, as pip does: uv's own list lacks the certificate authority of a company.
UV := $(BIN)/uv --system-certs
SOURCES := api benchmarks cli dashboards orchestration pipelines settings tests
WORKERS ?= auto
PYTEST_OPTIONS ?=
MEASURED := COVERAGE_START=$(CURDIR)/tests/coverage/collecting.py COVERAGE_DIR=$(CURDIR)/.coverage
# Without bytecode files each of the many processes compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(STAMP) ## Run everything on this machine until Ctrl-C (the first run installs and loads a demo)
	@exec $(BIN)/ideamint up

test-fast: $(STAMP) ## Run the fast tests for development, under a minute: without dbt, Dagster and installations
	$(BIN)/pytest --fast -p no:schemathesis -n $(WORKERS) $(PYTEST_OPTIONS)

test: $(STAMP) ## Run unit and integration tests; IDEAMINT_TEST_ELECTIONS=folder adds the real elections of that folder
	$(BIN)/pytest -m "not deep" -p no:schemathesis -n $(WORKERS) $(PYTEST_OPTIONS)

test-deep: $(STAMP) ## Run the proofs at small size, the permission matrix, the last release on this schema, and the browser tests (needs Go and chromium)
	$(BIN)/pytest -m "deep and not browser" -n $(WORKERS) $(PYTEST_OPTIONS)
	$(BIN)/pytest -m browser $(PYTEST_OPTIONS)

proofs: $(STAMP) ## Run the proofs at full size and print their figures, about 40 minutes (make test-deep runs them at small size)
	$(BIN)/pytest tests/proofs --full --timeout 0 $(PYTEST_OPTIONS)
	$(BIN)/python -m benchmarks.held
	$(BIN)/python -m benchmarks.settle
	$(BIN)/python -m benchmarks.history
	@if [ -n "$${IDEAMINT_TEST_ELECTIONS:-}" ]; then $(BIN)/python -m benchmarks.event_lag; fi

# Two runs, since Playwright keeps an event loop running in its process, which asynchronous tests cannot share.
coverage: $(STAMP) ## Run every test once, measured, and check the floors in tests/coverage/report.py
	rm -rf .coverage && mkdir .coverage
	echo 'import os, runpy; "COVERAGE_START" in os.environ and runpy.run_path(os.environ["COVERAGE_START"])' > $(VENV)/lib/python3.11/site-packages/coverage_start.pth
	$(MEASURED) $(BIN)/pytest -m "not browser" -n $(WORKERS) $(PYTEST_OPTIONS)
	$(MEASURED) $(BIN)/pytest -m browser $(PYTEST_OPTIONS)
	$(BIN)/python -m tests.coverage.report .coverage

bench: $(STAMP) ## Measure the API, with PostgreSQL alone as the limit (needs Go); with IDEAMINT_TEST_ELECTIONS also an import
	$(BIN)/python -m benchmarks.allocate
	$(BIN)/python -m benchmarks.bulk
	@if [ -n "$${IDEAMINT_TEST_ELECTIONS:-}" ]; then $(BIN)/python -m benchmarks.import_election; fi

check: $(STAMP) ## Run all checks, and every test once
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target static
	@$(MAKE) --no-print-directory coverage

static: types sql-lint compose-check lint format-check contracts docs-check secrets-check packages-check

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP) ## Lint the Python
	$(BIN)/ruff check .

types: $(STAMP) ## Check the types
	$(BIN)/mypy

contracts: $(STAMP) ## Check the imports between packages
	$(BIN)/lint-imports

sql-lint: $(STAMP) ## Lint all SQL: migrations, routines and dbt
	$(BIN)/sqlfluff lint --disable-progress-bar --processes 0 api dbt_project

compose-check: ## Check docker-compose.yml with Compose's loader (needs Go)
	@if command -v go > /dev/null; then cd deploy/check-compose && go run . ../../docker-compose.yml ../compose.env.example; \
	elif [ "$${CI:-}" = true ]; then echo "compose-check needs Go" >&2; exit 1; \
	else echo "compose-check is skipped: Go is not installed"; fi

secrets-check: $(STAMP) ## Search all files for secrets that .secrets.baseline does not know
	$(BIN)/python -m tests.scans.secrets

# A vulnerability fails; a service that cannot be reached is reported, and does not.
packages-check: $(STAMP) ## Look for known vulnerabilities of the pinned packages, if PyPI's data can be reached
	$(BIN)/python -m tests.scans.packages

docs: $(STAMP) ## Write openapi.json and the generated pages of docs/
	$(BIN)/python -m cli.generate.openapi openapi.json
	$(BIN)/python -m cli.generate.problems docs/problems.md
	$(BIN)/python -m cli.generate.permissions docs/permissions.md
	$(BIN)/python -m cli.generate.events docs/events.md
	$(BIN)/python -m cli.generate.campaign_states docs/campaign-states.md
	$(BIN)/python -m cli.generate.idea_steps docs/idea-steps.md
	$(BIN)/python -m cli.generate.idea_lists docs/idea-lists.md

docs-check: $(STAMP)
	$(BIN)/python -m cli.generate.openapi --check openapi.json
	$(BIN)/python -m cli.generate.problems --check docs/problems.md
	$(BIN)/python -m cli.generate.permissions --check docs/permissions.md
	$(BIN)/python -m cli.generate.events --check docs/events.md
	$(BIN)/python -m cli.generate.campaign_states --check docs/campaign-states.md
	$(BIN)/python -m cli.generate.idea_steps --check docs/idea-steps.md
	$(BIN)/python -m cli.generate.idea_lists --check docs/idea-lists.md

lock: $(STAMP) ## Update requirements/ to the newest versions that pyproject.toml allows
	$(UV) pip compile $(LOCK_OPTIONS) --extra dev pyproject.toml -o requirements/dev.txt
	$(UV) pip compile $(LOCK_OPTIONS) -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt
	echo uv | $(UV) pip compile $(LOCK_OPTIONS) -c requirements/dev.txt - -o requirements/uv.txt
LOCK_OPTIONS := --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-annotate

clean: ## Remove the environment and caches; keeps .data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dbt_project/target dbt_project/logs

# The environment matches the lock files; it is updated when they change.
$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	@for python in python3.11 python3 python; do \
		if command -v $$python > /dev/null && \
			$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then echo "Ideamint needs Python 3.11, and neither python3.11 nor python3 is that version. Install it and run make again." >&2; exit 1; fi; \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		rm -rf $(VENV); \
		$$found -m venv $(VENV) || { echo "$$found cannot create an environment; on Debian: apt-get install python3.11-venv" >&2; exit 1; }; \
	fi
	@echo "Installing requirements/dev.txt into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip sync --quiet --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

.PHONY: help up test-fast test test-deep proofs coverage bench check static format format-check lint types contracts sql-lint compose-check secrets-check packages-check docs docs-check lock clean
