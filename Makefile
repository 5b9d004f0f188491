# Hamgam. Bare `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv installs the same hashed files several times quicker; pip does where uv is not. Both compile what they install:
# a service may not write beside it, and would compile it anew in every process.
UV := $(shell command -v uv 2>/dev/null)
UV_INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test faults soak check bench bench-size bench-lists screens requirements translations clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hamgam needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11 run"; exit 2; }
ifdef UV
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV_INSTALL) -r requirements.txt
else
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
endif
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
ifdef UV
	@$(UV_INSTALL) -r requirements-dev.txt
else
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
endif
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.runtime
ifdef UV
	@$(UV_INSTALL) -r requirements-bench.txt
else
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
endif
	@touch $@

run: $(VENV)/.runtime ## start the panel and the engine (the demonstration, while no gateway is configured)
	@exec $(BIN)/python -m panel up

test: $(VENV)/.dev ## run the tests (needs Chromium for the browser tests; they say so if it is missing)
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow" -q

faults: $(VENV)/.dev ## run every fault, and the other long tests: twenty seeds, kills, ten due times (an hour)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or fault" -q

soak: $(VENV)/.dev ## half an hour before a hostile gateway, everything killed at random (SOAK_MINUTES=3, SOAK_SEED)
	@$(BIN)/python -m tests.soak

check: $(VENV)/.dev ## lint, types, docs current, translations complete
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tools.check_docs
	@$(BIN)/python -m tools.check_translations

bench: $(VENV)/.bench ## measure against the limit of this machine, on both databases; writes docs/performance.md (half an hour or more)
	@$(BIN)/python -m bench

bench-size: $(VENV)/.runtime ## measure engine and panel with a thousand sources, on both databases; writes docs/performance.md (half an hour)
	@$(BIN)/python -m bench.size

bench-lists: $(VENV)/.runtime ## measure the panel's lists with a university in them, on both databases; writes docs/performance.md (half an hour)
	@$(BIN)/python -m bench.lists

screens: $(VENV)/.dev ## take the pictures of every page anew, into docs/screens (needs Chromium; ten minutes)
	@$(BIN)/python -m tools.screenshots
	@$(BIN)/python -m tools.walk

requirements: ## compile the hashed requirement files from pyproject.toml (needs uv)
	uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements.txt
	uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 --group dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 --group bench -c requirements.txt -o requirements-bench.txt

translations: $(VENV)/.dev ## gather new texts and compile the catalogues
	@$(BIN)/python -m tools.translations

clean: ## remove what `make` installed (never instance/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
