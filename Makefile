# Everything a newcomer types. Needs Python 3.11+, git and the package registries; sets the rest up in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
EXTRAS := segmentation reference generation evaluation pipeline cli
OUT ?= demo

.PHONY: help demo test test-training lint protos lock bench clean

help:  ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BIN)/.cli  ## a real fluorescence image through the whole pipeline; pictures in demo/
	$(BIN)/python -m services.cli.demo --out $(OUT)

test: $(BIN)/.test $(BIN)/minio-server  ## set up, then every test that needs no torch
	BIOSYNTH_TEST_MINIO=$$(if test -x $(BIN)/minio-server; then echo $(CURDIR)/$(BIN)/minio-server; fi) \
	  $(BIN)/python -m pytest -n 2 --ignore tests/training $(ARGS)

test-training: $(BIN)/.training  ## the tests of training; installs torch
	$(BIN)/python -m pytest tests/training $(ARGS)

lint: $(BIN)/.test  ## format, lint, types, import contracts, protos, and that the stubs are those of the protos
	$(BIN)/ruff format --check services tests protos docs
	$(BIN)/ruff check services tests protos docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint
	rm -rf build/stubs && mkdir -p build/stubs && $(call stubs,build/stubs)
	for stub in build/stubs/biosynth/v1/*; do diff $$stub protos/biosynth/v1/$$(basename $$stub); done

protos: $(BIN)/.test  ## make the stubs from protos/biosynth/v1/*.proto
	$(call stubs,protos)

stubs = PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --grpc_python_out=$(1) \
	  --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) protos/biosynth/v1/*.proto

bench: $(BIN)/.test  ## our figures beside the baseline's, as a table and as bench/bench.json
	$(BIN)/python -m tests.bench --out bench/bench.json

lock: $(UV)  ## write the hashed requirement files anew
	printf 'uv\nsetuptools\n' | $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header - -o requirements-uv.txt
	for extra in $(EXTRAS); do $(call compile,$$extra,services/$$extra/requirements.txt); done
	$(call compile,training,services/generation/training/requirements.txt)
	$(call compile,test,tests/requirements.txt)

clean:  ## remove what make made
	rm -rf $(VENV) demo bench build

compile = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-package biosynth \
	  --no-emit-package biosynth-services --extra $(1) pyproject.toml -o $(2)

$(UV): requirements-uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "biosynth needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt
	touch $(UV)

# install STAMP FILE: what the file pins, and the two distributions of this repository.
install = $(UV) pip install -q --python $(BIN)/python --require-hashes -r $(1) && \
	  $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e protos -e .

$(BIN)/.cli: $(UV) services/cli/requirements.txt pyproject.toml protos/pyproject.toml
	$(call install,services/cli/requirements.txt)
	touch $@

$(BIN)/.test: $(UV) tests/requirements.txt pyproject.toml protos/pyproject.toml
	$(call install,tests/requirements.txt)
	touch $@

$(BIN)/.training: $(BIN)/.test services/generation/training/requirements.txt
	$(call install,services/generation/training/requirements.txt)
	touch $@

# A real MinIO for the store's tests, built from its pinned module where Go is present; without Go its tests skip by name.
MINIO_MODULE := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
$(BIN)/minio-server: | $(UV)
	if command -v go >/dev/null; then \
	  echo "building MinIO, 2-4 minutes the first time"; \
	  if GOBIN=$(CURDIR)/$(BIN)/go go install $(MINIO_MODULE); then ln -sf go/minio $@; \
	  else echo "MinIO could not be built: the tests against it will skip"; fi; \
	else echo "no Go here: the tests against MinIO will skip"; fi
