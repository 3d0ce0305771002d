# aiida-falsemetal. `make help` lists the targets; each makes sure of what it needs first, and may be run again.

PYTHON ?= python3
VENV ?= .venv
CAMPAIGN ?= workflows/campaigns/quickstart.yaml
# For pip, for example an --index-url of PyTorch's CPU builds where the default one has CUDA builds only.
PIP_ARGS ?=
TORCH_ARGS ?= $(PIP_ARGS)
# Tests that run at once. A file's tests stay together: they share profiles and campaigns.
WORKERS ?= 2
TORCH := $(shell sed -n 's/^torch==/torch==/p' requirements.lock)

BIN := $(VENV)/bin
# Named after this folder: an environment that was moved or copied does not work, and is made anew.
STAMP := $(VENV)/.installed-$(shell pwd | cksum | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help system demo install setup screen test test-slow test-browser lint format reference docs clean distclean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'Variables: PYTHON=$(PYTHON) CAMPAIGN=$(CAMPAIGN) WORKERS PIP_ARGS TORCH_ARGS FALSEMETAL_PW FALSEMETAL_PROJWFC AIIDA_PATH'

system: ## Python, pw.x and projwfc.x: there, installed with apt by root, or the line to run
	@command -v $(PYTHON) >/dev/null || { echo "Error: there is no $(PYTHON); install Python 3.11 or newer." >&2; exit 1; }
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m aiida_falsemetal.cli.environment --system

# Where there is no environment yet, one without torch, which `make install` makes anew.
demo: ## the report of a campaign that comes with the package; needs neither pw.x nor torch
	test -x $(BIN)/falsemetal || $(PYTHON) -m venv --clear $(VENV)
	test -x $(BIN)/falsemetal || $(BIN)/python -m pip install -q $(PIP_ARGS) -c requirements.lock -e .
	$(BIN)/falsemetal demo

# torch comes first and alone: named by another package, it would be the newest build, with gigabytes of CUDA.
$(STAMP): pyproject.toml requirements.lock | system
	test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -q $(TORCH_ARGS) -c requirements.lock $(TORCH)
	$(BIN)/python -m pip install -q $(PIP_ARGS) -c requirements.lock -e '.[mace,openmm,parquet,dev,docs]'
	touch $@

install: $(STAMP) ## the package with all it needs, in .venv, at the versions of requirements.lock

setup: $(STAMP) ## the AiiDA profile falsemetal: computer, codes, pseudopotentials
	$(BIN)/falsemetal setup

screen: setup ## run CAMPAIGN to its report
	$(BIN)/falsemetal screen $(CAMPAIGN) --follow

test: setup ## the tests, WORKERS of them at once
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=30 --durations-min=5

test-slow: setup ## the tests that take long
	$(BIN)/pytest -m slow

test-browser: setup ## the tests that need Chromium or graphviz
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m browser

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## ruff's formatter
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: $(STAMP) ## report, figures and tables of docs/reference-campaign.md, anew from the campaign's archive
	$(BIN)/python docs/make_reference.py

docs: $(STAMP) ## the documentation site, docs/_build/html/index.html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -n -q docs docs/_build/html

clean: ## remove caches and what a build leaves; results and the environment stay
	rm -rf build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find aiida_falsemetal calculations workflows tests -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## also remove the environment
	rm -rf $(VENV)
