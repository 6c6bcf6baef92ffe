# Each of these works on a fresh machine: it first makes .venv and installs what is pinned.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
endif

.PHONY: run test lab cluster notebooks bench bench-original bench-frontier bench-labels bench-workers experiments ship lint clean help
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed 's/:.*## /\t/'

.venv/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

run: .venv/.installed  ## execute copies of the five notebooks on the full profile, and print the test accuracy
	@CAPTCHA_PROFILE=full $(BIN)/python -m helpers run

test: .venv/.installed  ## check the code, run the unit tests, and run every notebook on the quick profile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest notebooks -p tests.claims --nbval-lax --nbval-current-env --nbval-cell-timeout=600

lab: .venv/.installed  ## open JupyterLab on notebook 1; with PROFILE=quick, on few captchas
	$(if $(PROFILE),CAPTCHA_PROFILE=$(PROFILE)) $(BIN)/jupyter lab $(ROOT) --LabApp.default_url=lab/tree/notebooks/01_check_environment.ipynb

cluster: .venv/.installed  ## train the default experiment by several processes: make cluster WORKERS=2
	@$(BIN)/python -m helpers cluster --workers $(or $(WORKERS),2)

notebooks: .venv/.installed  ## execute the stale committed notebooks in place, on the full profile; with ALL=1, all of them
	@CAPTCHA_PROFILE=full $(BIN)/python -m tests.renew $(if $(filter 1,$(ALL)),--all)

bench: .venv/.installed  ## measure speed, memory and accuracy again, into notebooks/results; more than an hour
	@$(BIN)/python -m tests.benchmarks

bench-original: .venv/.installed  ## train our network, then the original script's for its 5,000 iterations; most of an hour
	@$(BIN)/python -m tests.benchmarks original_whole

bench-frontier: .venv/.installed  ## compare recipes, by accuracy and by training time; hours; it goes on after a stop
	@$(BIN)/python -m tests.benchmarks frontier

bench-labels: .venv/.installed  ## count what labelled pictures of other packages buy; hours; it goes on after a stop
	@$(BIN)/python -m tests.benchmarks labels

bench-workers: .venv/.installed  ## measure what several workers gain, and what a killed one costs; 20 minutes
	@$(BIN)/python -m tests.benchmarks workers

experiments: .venv/.installed  ## train in many styles, into data/ and notebooks/results; more than an hour; it goes on after a stop
	@$(BIN)/python -m tests.benchmarks experiments

ship: .venv/.installed  ## make the networks that come along with the notebooks: default's, and robust; a quarter of an hour
	@$(BIN)/python -m tests.benchmarks shipped

lint: .venv/.installed  ## repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## delete the experiments in the data folder, after showing how large they are and what stays
	@if test -d .venv; then $(BIN)/python -m helpers clean; else echo "Nothing was set up yet."; fi
