# Everything a newcomer types. Needs Python 3.11+, git and the package registries; sets the rest up in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# One lock for each set of packages: reference and pipeline need what every server needs, and no more.
EXTRAS := server segmentation cellpose3 cellpose stardist evaluation generation openvino generation-cuda cli formats training test
LOCKS := services/requirements
OUT ?= demo

.PHONY: help demo test test-training lint protos lock bench images image-cuda image-training up down test-compose test-alerts test-cluster docker-engine clean

help:  ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BIN)/.cli  ## a real fluorescence image through the whole pipeline; pictures in demo/
	$(BIN)/python -m services.cli.demo --out $(OUT)

test: $(BIN)/.test $(BIN)/minio-server $(BIN)/kustomize $(BIN)/kube-score $(BIN)/promtool  ## set up, then every test that needs no torch
	PATH=$$PATH:$(CURDIR)/$(BIN) \
	  BIOSYNTH_TEST_MINIO=$$(if test -x $(BIN)/minio-server; then echo $(CURDIR)/$(BIN)/minio-server; fi) \
	  $(BIN)/python -m pytest -n 2 --ignore tests/training $(ARGS)

test-training: $(BIN)/.training  ## the tests of training; installs torch
	$(BIN)/python -m pytest tests/training $(ARGS)

lint: $(BIN)/.test  ## format, lint, types, import contracts, protos, and that the stubs are those of the protos
	$(BIN)/ruff format --check services tests protos docs deploy
	$(BIN)/ruff check services tests protos docs deploy
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against released.binpb
	rm -rf build/stubs && mkdir -p build/stubs && $(call stubs,build/stubs)
	for stub in build/stubs/biosynth/v1/*; do diff $$stub protos/biosynth/v1/$$(basename $$stub) || exit 1; done

protos: $(BIN)/.test  ## make stubs and docs/api.md from protos/biosynth/v1/*.proto, and build/biosynth.binpb, which describes them
	$(call stubs,protos)
	$(BIN)/python -m docs.api
	mkdir -p build && cd protos && ../$(BIN)/buf build -o ../build/biosynth.binpb

stubs = PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --grpc_python_out=$(1) \
	  --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) protos/biosynth/v1/*.proto

bench: $(BIN)/.test  ## our figures beside the baseline's, as a table and as bench/bench.json
	$(BIN)/python -m tests.bench --out bench/bench.json

lock: $(UV)  ## write the hashed requirement files anew
	printf 'uv\nsetuptools\n' | $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header - -o requirements-uv.txt
	for extra in $(EXTRAS); do $(call compile,$$extra,$(LOCKS)/$$extra.txt) || exit 1; done

images: docker-engine  ## build the container images biosynth/*, but not those with torch; OPENVINO=1: generation-cpu with OpenVINO
	$(call image,segmentation,services/Dockerfile) --build-arg SERVICE=segmentation --build-arg REQUIREMENTS=segmentation
	$(call image,evaluation,services/Dockerfile) --build-arg SERVICE=evaluation --build-arg REQUIREMENTS=evaluation \
	  --build-arg CORES=segmentation
	for name in reference pipeline; do \
	  $(call image,$$name,services/Dockerfile) --build-arg SERVICE=$$name --build-arg REQUIREMENTS=server || exit 1; done
	$(call image,generation-cpu,services/Dockerfile) --build-arg SERVICE=generation --build-arg REQUIREMENTS=$(if $(OPENVINO),openvino,generation)
	$(call image,cli,services/cli/Dockerfile)
	$(call image,minio,deploy/minio/Dockerfile) --build-arg MINIO_MODULE=$(MINIO_MODULE)
	$(call image,prometheus,deploy/monitoring/Dockerfile)
	$(call image,gateway,deploy/gateway/Dockerfile)

image-cuda: docker-engine  ## build biosynth/generation-cuda: torch, gigabytes
	$(call image,generation-cuda,services/Dockerfile) --build-arg SERVICE=generation --build-arg REQUIREMENTS=generation-cuda

image-training: docker-engine  ## build biosynth/training: the command line with torch, gigabytes
	$(call image,training,services/cli/Dockerfile) --build-arg REQUIREMENTS=training

up: docker-engine $(BIN)/.cli  ## start everything in containers and say how to use it; MTLS=1: mutual TLS
	deploy/secrets.sh $(SECRETS)
	@docker image inspect biosynth/pipeline:$(VERSION) >/dev/null || { echo "build the images first: make images" >&2; exit 1; }
	@$(COMPOSE) up --detach --wait --pull never || { echo "to see why: docker compose -p biosynth logs SERVICE" >&2; exit 1; }
	@printf '%s\n' "" "biosynth answers on 127.0.0.1:$${BIOSYNTH_PORT:-50051}, Prometheus on http://127.0.0.1:$${BIOSYNTH_PROMETHEUS_PORT:-9090}. Type:" \
	  "  export BIOSYNTH_ENDPOINT=127.0.0.1:$${BIOSYNTH_PORT:-50051}" \
	  "  export BIOSYNTH_ENDPOINT_CA_FILE=$(SECRETS)/tls/ca.crt BIOSYNTH_ENDPOINT_TOKEN_FILE=$(SECRETS)/token/token" \
	  $(if $(MTLS),"  export BIOSYNTH_ENDPOINT_CERT_FILE=$(SECRETS)/client/tls.crt BIOSYNTH_ENDPOINT_KEY_FILE=$(SECRETS)/client/tls.key") \
	  "  $(BIN)/biosynth run IMAGE --out results" "Logs: docker compose -p biosynth logs SERVICE. To stop: make down"

down: docker-engine  ## stop what `make up` started; VOLUMES=1: and delete its data
	@$(COMPOSE) --profile minio down --remove-orphans $(if $(VOLUMES),--volumes)
	@echo "$(if $(VOLUMES),The data is deleted too,The data stays in volumes (VOLUMES=1 deletes it)); $(SECRETS) and the images stay."

test-compose: $(BIN)/.test  ## the end-to-end tests against what `make up` started
	BIOSYNTH_TEST_ENDPOINT=127.0.0.1:$${BIOSYNTH_PORT:-50051} BIOSYNTH_TEST_STORE=http://127.0.0.1:$${BIOSYNTH_MINIO_PORT:-9000} \
	  BIOSYNTH_TEST_PROMETHEUS=http://127.0.0.1:$${BIOSYNTH_PROMETHEUS_PORT:-9090} BIOSYNTH_TEST_SECRETS=$(abspath $(SECRETS)) BIOSYNTH_TEST_MTLS=$(MTLS) \
	  $(BIN)/python -m pytest -v tests/e2e $(ARGS)

test-alerts: $(BIN)/.test  ## every alert fired by its symptom, done to what `make up` started: nobody else should use it
	$(BIN)/python -m tests.e2e.alerts --version $(VERSION) --secrets $(SECRETS) --endpoint 127.0.0.1:$${BIOSYNTH_PORT:-50051} \
	  --store http://127.0.0.1:$${BIOSYNTH_MINIO_PORT:-9000} $(ARGS)

test-cluster: $(BIN)/.test  ## the local overlay on the cluster of KUBECONFIG, proven; LOAD="COMMAND" brings images into its nodes
	$(BIN)/python -m tests.e2e.cluster --version $(VERSION) --secrets $(SECRETS) $(if $(LOAD),--load "$(LOAD)") $(ARGS)

clean:  ## remove what make made
	rm -rf $(VENV) demo bench build

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml)
DOCKER_BUILD_FLAGS ?= --network=host
image = docker build $(DOCKER_BUILD_FLAGS) --build-arg VERSION=$(VERSION) -t biosynth/$(1):$(VERSION) -f $(2) .

SECRETS ?= deploy/secrets
COMPOSE = BIOSYNTH_VERSION=$(VERSION) BIOSYNTH_SECRETS=$(abspath $(SECRETS)) COMPOSE_PROFILES=$(if $(BIOSYNTH_STORE_ENDPOINT),,minio) \
	  docker compose -f deploy/compose.yaml $(if $(MTLS),-f deploy/compose.mtls.yaml)

docker-engine:
	@docker version >/dev/null || { echo "no Docker engine answers: start one, or set DOCKER_HOST to one" >&2; exit 1; }

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

$(BIN)/.cli: $(UV) $(LOCKS)/cli.txt pyproject.toml protos/pyproject.toml
	$(call install,$(LOCKS)/cli.txt)
	touch $@

$(BIN)/.test: $(UV) $(LOCKS)/test.txt pyproject.toml protos/pyproject.toml
	$(call install,$(LOCKS)/test.txt)
	touch $@

$(BIN)/.training: $(BIN)/.test $(LOCKS)/training.txt
	$(call install,$(LOCKS)/training.txt)
	touch $@

# A real MinIO for the store's tests, built from its pinned module where Go is present; without Go its tests skip by name.
MINIO_MODULE := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
$(BIN)/minio-server: | $(UV)
	if command -v go >/dev/null; then \
	  echo "building MinIO, 2-4 minutes the first time"; \
	  if GOBIN=$(CURDIR)/$(BIN)/go go install $(MINIO_MODULE); then ln -sf go/minio $@; \
	  else echo "MinIO could not be built: the tests against it will skip"; fi; \
	else echo "no Go here: the tests against MinIO will skip"; fi

# Renders the manifests for their tests where kubectl is not there to do it; without Go too, those tests skip by name.
KUSTOMIZE_MODULE := sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
$(BIN)/kustomize: | $(UV)
	if ! command -v kubectl >/dev/null && command -v go >/dev/null; then \
	  GOBIN=$(CURDIR)/$(BIN) go install $(KUSTOMIZE_MODULE) || echo "kustomize could not be built: the tests of manifests will skip"; fi

# Judges the manifests: half a minute the first time; without Go that test skips by name.
KUBE_SCORE_MODULE := github.com/zegl/kube-score/cmd/kube-score@v1.20.0
$(BIN)/kube-score: | $(UV)
	if command -v go >/dev/null; then \
	  GOBIN=$(CURDIR)/$(BIN) go install $(KUBE_SCORE_MODULE) || echo "kube-score could not be built: its test will skip"; \
	else echo "no Go here: kube-score's test will skip"; fi

# Tries the rules of alerts. From Debian's package, since building it takes minutes; elsewhere those tests skip by name.
$(BIN)/promtool: | $(UV)
	if ! command -v promtool >/dev/null && command -v dpkg >/dev/null; then mkdir -p build/prometheus && cd build/prometheus && \
	  apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && mv usr/bin/promtool usr/bin/prometheus $(CURDIR)/$(BIN) || \
	  echo "promtool could not be had (apt-get update?): the tests of rules will skip"; fi
