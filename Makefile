# Everything runs from .venv, made from the hashed lock; nothing needs root, Docker or a system package.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo test browser lint bench ci lock clean

install: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1): make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install
	@$(BIN)/fleet demo

JOBS ?= 3

# Side by side, each process with servers of its own; a file stays in one process. In the order of the folders, for the
# few long files that wait for processes would else come last, and the rest have nothing to do beside them.
test: install
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

# The pages in a real browser; needs Chromium on the machine.
browser: install
	$(BIN)/python -m pytest tests --numprocesses $(JOBS) --dist loadfile -o python_files='browser_*.py'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m pytest tests/benchmarks -o python_files='bench_*.py' -s -q

ci:
	bash .ci/run

# No index address in the lock: each machine installs from the registry that its pip is set up for.
UV_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate

lock:
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(UV_LOCK) $(LOCK_ARGS) pyproject.toml --extra embedded --extra tracing --extra sentry --extra dev -o requirements/dev.txt
	$(UV_LOCK) $(LOCK_ARGS) pyproject.toml --extra tracing --extra sentry -c requirements/dev.txt -o requirements/run.txt

clean:
	rm -rf .venv .fleet build *.egg-info
