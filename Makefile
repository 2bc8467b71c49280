# `make demo` and `make test` work on a fresh machine with Python 3.10+ and nothing else installed.
# Both use PYTHON=... or an activated environment where there is one, and make .venv where there is none.
# Paths are relative to this folder, so that it may lie anywhere, also below a name with spaces: use `make -C FOLDER` from elsewhere.

BASE_PYTHON ?= python3

ifdef PYTHON
  RUN := $(PYTHON)
else ifdef VIRTUAL_ENV
  RUN := $(VIRTUAL_ENV)/bin/python
else ifdef CONDA_PREFIX
  RUN := $(CONDA_PREFIX)/bin/python
else
  RUN := .venv/bin/python
  VENV := .venv/bin/python
endif

# Two processes of one thread each; worksteal keeps neighbours, which share fixtures, together. -n 0 is one process, where Ctrl-C and a debugger work: make test PYTEST="-n 0".
PYTEST ?= -n 2 --dist=worksteal

.PHONY: demo test test-fast test-all lint install install-test clean-demo

demo: install
	"$(RUN)" tools/demo.py $(if $(VIDEO),--video "$(VIDEO)")

test: install-test lint
	"$(RUN)" -m pytest $(PYTEST) -m "not slow"

test-fast: install-test
	"$(RUN)" -m pytest $(PYTEST) -m "not slow and not long" tests/rules tests/unit

test-all: install-test lint
	"$(RUN)" -m pytest $(PYTEST)

lint: install-test
	"$(RUN)" -m ruff check .
	"$(RUN)" -m ruff format --check .
	"$(RUN)" -m mypy

install: $(VENV)
	"$(RUN)" tools/ensure_installed.py

install-test: $(VENV)
	"$(RUN)" tools/ensure_installed.py --extra test

clean-demo:
	rm -rf runs/toy

.venv/bin/python:
	"$(BASE_PYTHON)" -m venv .venv
