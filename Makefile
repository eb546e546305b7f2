# demo and test set up all that they need; the rest is for those who change Lightlake.

.PHONY: demo test test-all prove lint types lock clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first Python that is new enough; PYTHON=… names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

demo: $(READY)
	@$(BIN)/lake demo $(SMALL)

test: $(READY)
	@$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-all: $(READY)
	@$(BIN)/python -m pytest --timeout 1200

prove: $(READY)
	@$(BIN)/python -m tests.proofs $(P)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 2 sql

types: $(READY)
	@$(BIN)/mypy

# Wheels alone run no code at installation; pims, which sunpy's map brings along, is published as source only.
WHEELS := --require-hashes --only-binary :all: --no-binary pims

# uv installs the set in seconds and pip in minutes, so uv does where pip can get it and it finds the packages itself.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Lightlake needs Python 3.11 or newer; found $$(python3 --version 2>&1)"; exit 1; }
	@echo "installing into $(VENV), once" >&2; date +%s > .installing
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
	@{ test -x $(BIN)/uv && \
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(WHEELS) -r requirements.lock 2>/dev/null; } || { \
	echo "uv gets no packages here; pip takes some minutes" >&2; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(WHEELS) -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "installed in $$(( $$(date +%s) - $$(cat .installing) )) s" >&2; rm .installing
	@touch $(READY)

# The lock names no package index, so it serves wherever packages come from.
lock:
	@uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet pyproject.toml -o requirements.lock

clean:
	@rm -rf $(VENV) lakehouse build *.egg-info
