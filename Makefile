# Everything a fresh machine with python3, make and python3-venv needs: `make demo` and `make test` set up by themselves.

PYTHON ?= python3
EXTRAS ?= dev
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test long proof lint docs bench clean

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: $(VENV)/ready ## make an embryo, learn from a tenth of its cells, track it, write the report
	$(BIN)/morula demo --out demo

test: $(VENV)/ready ## the suite, a few minutes on two cores
	$(BIN)/python -m pytest -n 2 -q

long: $(VENV)/ready ## tests that take minutes each
	$(BIN)/python -m pytest -n 2 -q -m long

proof: $(VENV)/ready ## ten thousand damaged files per reader, the long tests, and 56 kills (docs/proof.md)
	MORULA_MUTATIONS=10000 $(BIN)/python -m pytest -n 2 -q tests/io
	mkdir -p build && rm -f build/kills.jsonl
	MORULA_KILLS=56 MORULA_KILLS_FILE=$(CURDIR)/build/kills.jsonl $(BIN)/python -m pytest -n 2 -q -m long
	$(BIN)/python tests/proof/tell_kills.py build/kills.jsonl

lint: $(VENV)/ready ## style, types (of the benchmarks, too) and import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py
	$(BIN)/lint-imports

docs: $(VENV)/ready ## write the reference pages anew from the code
	$(BIN)/python docs/make_reference.py

bench: $(VENV)/ready ## every benchmark, with its bound
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo
