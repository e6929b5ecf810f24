# Two commands for a machine that has python3, pip and make and nothing else:
#   make demo    install into .venv and run the sentence that this project is about
#   make test    install what testing needs and run the fast tests
# PYTHON=python3.12 make demo chooses the interpreter, VENV=somewhere the place.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CODE := hwnas profilers tests benchmarks setup.py docs/commands.py docs/decisions/figures.py .ci/check_wheel.py

# Two processes of one thread each: two threads each on two cores lose three to forty times (docs/log.md).
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.PHONY: demo test test-slow test-all docs check evidence-quick format clean

demo: $(VENV)/.installed
	$(BIN)/hwnas search --target 1080ti --objective params

test: $(VENV)/.installed-dev
	$(PYTEST)

# Tests of a cluster, of runtimes and of a browser are skipped where their extras are missing.
test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m "slow and not exhaustive"

# Every combination of what the slow tests try a part of, and all that README types: half an hour more.
# With the extra ray (80 MB), whose clusters lose nodes while they work.
test-all: test-slow
	$(PIP) install --quiet --constraint constraints.txt --editable '.[ray]'
	$(PYTEST) -m "exhaustive or slow" tests/cluster
	$(PYTEST) -m exhaustive

docs: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(PYTEST)

# Small forms of the benchmarks, a quarter of an hour; fails where a figure falls under its floor.
evidence-quick: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m benchmarks.quick

format: $(VENV)/.installed-dev
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

# Runs stay: they are results.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find hwnas profilers tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Some distributions leave pip out of `venv`; then the system's pip puts it there.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || ( \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip )

# The constraints are the versions that CI ran. They carry no local label, so pip takes the CPU build of torch where
# an index offers it and the CUDA build elsewhere.
$(VENV)/.installed: pyproject.toml setup.py constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
