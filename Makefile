# The front door. `make` alone says what there is.
# Needs Python 3.11 or newer and make; `make check` also needs node, `KAFKA=apache` Java and Maven.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
PY := .venv/bin/python
RUN := PYTHONPATH=.:proto/gen $(PY)
# Two workers for two cores; a file stays with one worker, so that its database is made once.
WORKERS ?= 2
PYTEST := $(RUN) -m pytest --durations=8 --durations-min=5
BUF := deploy/tools/node_modules/.bin/buf

.DEFAULT_GOAL := help
.PHONY: help env up down restart status logs reset demo ledger-check \
	test test-only chaos bench chromium check lint types contracts protos tree fmt protos-release smoke

help: ## Say what there is
	@echo "make up [PORT=8080] [LAN=1] [KAFKA=apache] [PUBLIC_URL=https://…]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

env:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	@$(PYTHON) deploy/tools/environment.py

up: env ## Start the whole platform and say what to open
	@$(RUN) -m deploy.local up

down: ## Stop everything that this checkout has started; data stays
	@test ! -x $(PY) || $(RUN) -m deploy.local down

restart: env ## Stop, then start
	@$(RUN) -m deploy.local down
	@$(RUN) -m deploy.local up

status: env ## Show processes, ports and readiness
	@$(RUN) -m deploy.local status

logs: env ## Show the logs (SERVICE=points for one)
	@$(RUN) -m deploy.local logs $(SERVICE)

reset: env ## Stop and forget all data (YES=1 does not ask)
	@$(RUN) -m deploy.local reset

ledger-check: env ## Prove that every point of the running platform is accounted for
	@$(RUN) -m deploy.local run points services.points.ledger_check

test: env chromium test-only ## Run the tests, browser included

# Faults are injected into a platform of their own, after everybody else has gone home.
test-only:
	@status=0; \
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not chaos and not apache" || status=$$?; \
	CHAOS_SCALE=0.05 $(PYTEST) -m chaos || status=$$?; \
	exit $$status

chaos: env ## Kill, cut and flood, with the full counts
	@CHAOS_SCALE=1 $(PYTEST) -m chaos -s

bench: env ## Measure against PostgreSQL itself (QUICK=1: in four minutes; ONLY=soak: ten of soak)
	@$(RUN) -m tests.bench

chromium:
	@$(PY) -m deploy.tools.chromium

check: env lint types contracts protos tree test ## Everything that must hold before a change goes in

lint: env
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: env
	@$(RUN) -m mypy services deploy tests proto/generate.py

contracts: env
	@PYTHONPATH=.:proto/gen .venv/bin/lint-imports --no-logo

$(BUF): deploy/tools/package-lock.json
	@command -v npm >/dev/null || { echo "make check needs node and npm: apt-get install nodejs npm"; exit 1; }
	@cd deploy/tools && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

protos: env $(BUF)
	@$(BUF) lint proto
	@$(BUF) breaking proto --against deploy/tools/released-protos.binpb
	@$(RUN) proto/generate.py --check

protos-release: $(BUF) ## Take today's protos as what later ones may not break
	@$(BUF) build proto -o deploy/tools/released-protos.binpb

tree: env
	@$(PY) -m deploy.tools.tree

fmt: env ## Format and sort
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format --quiet .

smoke: env ## The main job once, over HTTP, on Apache Kafka
	@KAFKA=apache $(PYTEST) tests/e2e/test_smoke.py tests/e2e/test_two_points.py
