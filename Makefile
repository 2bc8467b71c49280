# `make demo` and `make test` work on a fresh machine with Python 3.10+ and nothing else installed.
# Both use PYTHON=... or an activated environment where there is one, and make .venv where there is none.

HERE := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
BASE_PYTHON ?= python3

ifdef PYTHON
  RUN := $(PYTHON)
else ifdef VIRTUAL_ENV
  RUN := $(VIRTUAL_ENV)/bin/python
else ifdef CONDA_PREFIX
  RUN := $(CONDA_PREFIX)/bin/python
else
  RUN := $(HERE)/.venv/bin/python
  VENV := $(HERE)/.venv/bin/python
endif

.PHONY: demo test lint install install-test clean-demo

demo: install
	cd "$(HERE)" && "$(RUN)" tools/demo.py

test: install-test lint
	cd "$(HERE)" && "$(RUN)" -m pytest

lint: install-test
	cd "$(HERE)" && "$(RUN)" -m ruff check .

install: $(VENV)
	"$(RUN)" "$(HERE)/tools/ensure_installed.py"

install-test: $(VENV)
	"$(RUN)" "$(HERE)/tools/ensure_installed.py" --extra test

clean-demo:
	rm -rf "$(HERE)/runs/toy"

$(HERE)/.venv/bin/python:
	"$(BASE_PYTHON)" -m venv "$(HERE)/.venv"
