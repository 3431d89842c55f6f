# Six verbs for people and CI alike, and the demo. `make install` needs only python3 (3.11 or newer, with pip and venv), git and make.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
RUN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install dev check test fix docs demo bench

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed ## .venv from the lock; .venv/bin/dossier is the command

$(VENV)/.installed: uv.lock pyproject.toml tools/install
	@sh tools/install $(PYTHON) $(UV_VERSION) run

dev: $(VENV)/.developing

$(VENV)/.developing: uv.lock pyproject.toml tools/install
	@sh tools/install $(PYTHON) $(UV_VERSION) dev

check: dev ## format, lint, types, import direction, workflows, documents
	@$(RUN)/python tools/check.py

test: dev ## every test this machine can run; what it cannot, and what to install
	@$(RUN)/python tools/test.py

fix: dev ## what can be put right by itself
	@$(RUN)/ruff check --fix -q . ; $(RUN)/ruff format -q .

docs: dev ## the pages made from code
	@$(RUN)/python tools/docs.py write

demo: install ## a real release of SocialPredict through the whole process
	@$(RUN)/dossier demo

.PHONY: ledger-fuzz ledger-engines ledger-mutants
ledger-fuzz: dev ## 2,000 correct ledgers under every ruleset, by rows and by columns, none to be accused; COUNT=n: so many
	@$(RUN)/python tools/ledger_fuzz.py fuzz $(or $(COUNT),2000)

ledger-engines: dev ## 1,000 ledgers, right and wrong, by every engine installed: the same bytes; COUNT=n: so many
	@$(RUN)/python tools/ledger_fuzz.py engines $(or $(COUNT),1000)

ledger-mutants: dev ## every way a ledger can be wrong and the check that finds it, into docs/ledger-mutants.md
	@$(RUN)/python tools/ledger_fuzz.py mutants

bench: dev ## figures, each beside its limit, into bench/results/
	@for b in bench/*.py; do echo "== $$b"; $(RUN)/python $$b || exit 1; done

.PHONY: fuzz
fuzz: dev ## changed input of every sort and every bit of a bundle; MODE=short: what the pipeline runs
	@$(RUN)/python tools/fuzz.py $(MODE)

.PHONY: readers
readers: dev ## every reader over every file there is, into docs/readers.md; DIR=folder with a MANIFEST.tsv: only that
	@$(RUN)/python tools/readers.py $(DIR)

.PHONY: conformance
conformance: dev ## published suites, into docs/conformance.md; DIR=folder of the same layout: scored as one JSON object
	@$(RUN)/python tools/conformance.py $(DIR)

.PHONY: vectors
vectors: dev ## docs/vectors, from which others write a verifier
	@$(RUN)/python tools/vectors.py write

.PHONY: ledger-checks
ledger-checks: dev ## every captured money bug and what catches it, into docs/ledger-checks.md; DIR=folder: only score that folder
	@$(RUN)/python tools/ledgers.py $(DIR)

.PHONY: fuzz-readers
fuzz-readers: dev ## changed evidence files of every format; N=mutations of each (100,000)
	@$(RUN)/python tools/fuzz_readers.py $(N)

.PHONY: mutants
mutants: dev ## change the gate, tallies, freshness, envelopes and the tree one thing at a time: at most 1 in 10 goes unnoticed; COUNT=60 SEED=1
	@$(RUN)/python tools/mutants.py
