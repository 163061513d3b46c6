# FireNet. Plain `make` prints what there is.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install fmt check check-types check-style check-imports check-drift check-rules test test-again test-unit test-containers test-e2e schema schemas requirements migrate migrate-post demo run backup restore base-copy recover up down logs images bench clean

# Tests, demo and run start Python some hundred times: where bytecode may not be kept, each start compiles everything.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
COMPOSE := $(shell if docker compose version >/dev/null 2>&1; then echo "docker compose"; else echo docker-compose; fi) -p firenet -f deploy/compose.yaml

# A set of packages is installed anew only when its requirement file changed.
$(VENV)/.have-%: requirements/%.txt | $(VENV)/.python
	@echo "installing the $* packages into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "FireNet needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment in $(VENV); on Debian install python3-venv" >&2; exit 1; }
	@touch $@

help:
	@echo "FireNet 消防联网监测: watches whether every building that must be connected to the fire-alarm network is connected."
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ 看一看 · See it

demo: $(VENV)/.have-embedded ## a living district on real parts, no Docker, no root: prints a page to open (UNITS=200 INGEST=2 RULES=4); Ctrl-C ends it
	@exec $(BIN)/python -m deploy.stack demo

run: $(VENV)/.have-embedded ## the same parts for real use, data kept under var/, no simulator (INGEST=2 RULES=4)
	@exec $(BIN)/python -m deploy.stack run

backup: $(VENV)/.have-embedded ## copy all that `make run` keeps, while it does not run: make backup TO=/mnt/other/backups
	@$(BIN)/python -m deploy.stack backup "$(TO)"

restore: $(VENV)/.have-embedded ## put a copy back: make restore FROM=/mnt/other/backups (the newest there) or FROM=one copy
	@$(BIN)/python -m deploy.stack restore "$(FROM)"

base-copy: $(VENV)/.have-embedded ## copy the database while `make run` runs: make base-copy TO=/mnt/other/backups (FIRENET_LOG_ARCHIVE=/mnt/other/log for both)
	@$(BIN)/python -m deploy.stack base-copy "$(TO)"

recover: $(VENV)/.have-embedded ## put the database back to an instant: make recover FROM=one base copy UNTIL=2026-03-09T12:00:00+08:00
	@UNTIL="$(UNTIL)" $(BIN)/python -m deploy.stack recover "$(FROM)"

##@ 检验 · Check it

# Most tests wait for real servers: three files at a time, each with servers of its own, take half as long as one.
WORKERS ?= 3
test: $(VENV)/.have-dev ## all that can run here but what is long: unit, contract, integration, end to end, containers where Docker is
	@$(BIN)/python -m deploy.stack.warm_up || echo "Kafka starts slowly"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --hypothesis-profile=fixed --durations=20 -m "not long"

test-again: $(VENV)/.have-dev ## run what failed in the last `make test` once more, each alone; say what is flaky
	@$(BIN)/python -m tests.again

# Two runs, each of folders of its own: workers of one run would each collect all tests and report every one of them.
test-unit: $(VENV)/.have-dev ## the fast tier: examples only, no server, no story made up, nothing thorough (all of it: make test)
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target test-unit-half-1 test-unit-half-2

.PHONY: test-unit-half-1 test-unit-half-2
test-unit-half-1 test-unit-half-2: $(VENV)/.have-dev
	@$(BIN)/python -m pytest -q -p no:xdist -p no:logging -m "not thorough and not hypothesis" $(FAST_$@)
FAST_test-unit-half-1 := $(wildcard tests/unit/[a-c]* tests/unit/doc*) tests/unit/kernel
FAST_test-unit-half-2 := $(filter-out $(FAST_test-unit-half-1),$(wildcard tests/unit/[!_]*)) tests/contract/schemas

.PHONY: test-long
test-long: $(VENV)/.have-dev ## what takes minutes each: three Kafka brokers, two of each service, a limit of memory, a month, ten kills, the version before beside this one
	@$(BIN)/python -m pytest -m long

test-containers: $(VENV)/.have-dev ## the tests on Mosquitto, Kafka and TimescaleDB in containers
	@$(BIN)/python -m pytest -m container

test-e2e: $(VENV)/.have-dev ## all services together, the console in a real Chromium, kill -9
	@$(BIN)/python -m pytest tests/e2e tests/chaos

.PHONY: test-chaos
test-chaos: $(VENV)/.have-dev ## a quarter of an hour of kills and freezes under load, all accounted for (SEED=7 KILLS=40)
	@$(BIN)/python -m tests.chaos --kills $(or $(KILLS),40) $(if $(SEED),--seed $(SEED))

.PHONY: test-brokers
test-brokers: $(VENV)/.have-dev ## members of ingest join, leave, crash, freeze and return at Mosquitto, the embedded broker and HiveMQ (Maven and Java build it once; `make test` asks it too from then on)
	@command -v mvn >/dev/null && command -v java >/dev/null || { echo "HiveMQ needs Maven and Java 11 or newer; on Debian install maven" >&2; exit 1; }
	@mvn --quiet --batch-mode --file tests/hivemq/pom.xml package
	@$(BIN)/python -m pytest tests/integration/ingest/test_names.py

.PHONY: soak
soak: $(VENV)/.have-dev ## hours under moderate load with kills, freezes and slow receivers; memory, disk, all accounted for (MINUTES=120 SEED=7)
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),120) $(if $(SEED),--seed $(SEED))

.PHONY: test-upgrade
test-upgrade: $(VENV)/.have-dev ## the version before and this one side by side under load, forwards, back, forwards; and over a month (FROM=commit)
	@FIRENET_UPGRADE_LONG=1 $(if $(FROM),FIRENET_UPGRADE_FROM=$(FROM)) $(BIN)/python -m pytest tests/upgrade

.PHONY: histories
histories: $(VENV)/.have-dev ## 10 000 random histories against a naive recomputation of all figures (SEED=1 HISTORIES=10000)
	@$(BIN)/python -m tests.naive --histories $(or $(HISTORIES),10000) --seed $(or $(SEED),1)

.PHONY: month
month: $(VENV)/.have-dev ## a month of a district on real parts with kill -9 in between: live, closed, revised and replayed alike (UNITS=200 SEED=1 KILLS=6)
	@$(BIN)/python -m tests.month --units $(or $(UNITS),200) --kills $(or $(KILLS),6) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.have-dev ## measure against the budgets: throughput, fire latency, deadlines, memory
	@$(BIN)/python -m tests.bench

##@ 开发 · Change it

install: $(VENV)/.have-dev ## install everything a developer needs into .venv

check: check-types check-style check-imports check-drift check-rules ## ruff, mypy strict, import contracts, drift of schemas, dashboards and reference (`make -j2 -O check`: two at a time)

check-types: $(VENV)/.have-dev
	@$(BIN)/mypy

check-style: $(VENV)/.have-dev
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

check-imports: $(VENV)/.have-dev
	@$(BIN)/lint-imports

check-drift: $(VENV)/.have-dev
	@$(BIN)/python -m schemas.export --check
	@$(BIN)/python -m deploy.grafana.build --check
	@$(BIN)/python -m deploy.reference --check && $(BIN)/python -m deploy.capacity --check

check-rules:
	@if command -v promtool >/dev/null; then promtool check config --syntax-only deploy/prometheus/*.yml && promtool check rules deploy/prometheus/rules/*.yaml && promtool test rules deploy/prometheus/tests/*.yaml; else echo "promtool is not installed: alert rules not checked"; fi

fmt: $(VENV)/.have-dev ## format the code and put imports in order
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

schemas: $(VENV)/.have-dev ## write JSON Schema, AsyncAPI, the Grafana dashboards, docs/reference and docs/capacity.md from their sources
	@$(BIN)/python -m schemas.export && $(BIN)/python -m deploy.grafana.build && $(BIN)/python -m deploy.reference && $(BIN)/python -m deploy.capacity --write

schema: $(VENV)/.have-dev ## write deploy/schema.sql anew: what all migrations make on a real PostgreSQL
	@$(BIN)/python -m deploy.schema

requirements: $(VENV)/.have-dev ## pin the newest versions that fit into requirements/*.txt
	@for set in runtime embedded dev; do $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements/$$set.txt requirements/$$set.in; done

clean: ## remove caches and the virtual environment (var/ stays)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build

##@ 容器运行 · Run it in containers

images: ## build all container images from Debian packages and Maven jars, no image registry
	@deploy/images/build.sh

.PHONY: bundle
bundle: $(VENV)/.have-dev images ## images, chart, wheels, documents and bill of materials in one file, for a site without internet
	@$(BIN)/python -m deploy.bundle

up: ## start Mosquitto, Kafka, TimescaleDB, Prometheus and the services in containers
	@deploy/images/docker-engine.sh start
	@docker image inspect firenet/app:local >/dev/null 2>&1 || { echo "there are no images yet: run \`make images\` first" >&2; exit 1; }
	@deploy/images/secrets.sh
	@$(COMPOSE) up -d --remove-orphans && $(COMPOSE) ps

down: ## stop the containers; data stays in their volumes
	@$(COMPOSE) down --remove-orphans

logs: ## follow the containers' logs
	@$(COMPOSE) logs -f --tail=100

##@ 数据库升级 · Upgrade a database

migrate: $(VENV)/.have-runtime ## prepare the database at FIRENET_DATABASE_DSN for this version; the one before may still run
	@$(BIN)/python -m services.runtime.migrate

migrate-post: $(VENV)/.have-runtime ## finish it, once nothing of the version before runs any more
	@$(BIN)/python -m services.runtime.migrate --post
