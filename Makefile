# `make` alone lists the targets. Each one sets up what it needs, once; a machine needs make, Node with npm, Python 3.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

NODE_VERSION := 24.21.0
UV_VERSION := 0.13.9

# --- Node 24 -------------------------------------------------------------------------------------------------------
# An older Node only fetches the right one, from the npm registry; everything else, npm included, then runs on that.
NODE_MAJOR := $(shell node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
ifeq ($(shell test '$(NODE_MAJOR)' -ge 24 && echo yes),yes)
TOOLCHAIN :=
else
NODE_ARCH := $(shell uname -m | sed -e 's/x86_64/x64/' -e 's/aarch64/arm64/')
NODE_PACKAGE := node-linux-$(NODE_ARCH)@$(NODE_VERSION)
TOOLCHAIN := .toolchain/.stamp-$(NODE_VERSION)
export PATH := $(CURDIR)/.toolchain/node_modules/.bin:$(PATH)
# Addons that compile must see the headers of that Node, not those of the system's.
export npm_config_nodedir := $(CURDIR)/.toolchain/node_modules/node-linux-$(NODE_ARCH)
endif

NODE_MODULES := node_modules/.stamp
UV := .uv/.stamp-$(UV_VERSION)
MLFLOW := .mlflow/.stamp

.PHONY: help setup demo test check bench secrets clean system

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: $(NODE_MODULES) $(MLFLOW) ## install everything the other targets need

demo: $(NODE_MODULES) $(MLFLOW) ## gateway, MLflow and an OpenID Provider on this machine; Ctrl-C ends them (DEMO_PORT=8080)
	@exec node test/demo/demo.ts

test: $(NODE_MODULES) $(MLFLOW) system ## every check: types, lint, unit, plugins, end to end
	@exec node test/run.ts

check: $(NODE_MODULES) ## the quick checks: types, lint, unit
	@npm run -s check

bench: $(NODE_MODULES) ## CPU per request beside a bare proxy
	@npm run -s bench

secrets: ## random secrets for docker-compose.yml, in deploy/secrets/
	@deploy/secrets/create.sh

clean: ## remove everything that was built or installed here
	rm -rf node_modules .toolchain .mlflow .uv .demo dist coverage test-results

$(TOOLCHAIN):
	@command -v npm >/dev/null || { echo 'npm is missing. Install Node.js with npm (Debian: apt-get install nodejs npm).' >&2; exit 1; }
	@echo 'Fetching Node $(NODE_VERSION) (this machine has $(NODE_MAJOR))'
	@npm install --prefix .toolchain --no-save --no-audit --no-fund --loglevel=error $(NODE_PACKAGE)
	@.toolchain/node_modules/.bin/node --version
	@touch $@

$(NODE_MODULES): package.json package-lock.json $(TOOLCHAIN)
	@echo 'Installing the libraries'
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# --- MLflow --------------------------------------------------------------------------------------------------------
$(UV):
	@deploy/setup/python.sh .uv uv==$(UV_VERSION)
	@touch $@

# Compiled, else every start of MLflow costs ten seconds instead of three.
$(MLFLOW): deploy/mlflow/requirements.txt $(UV)
	@echo 'Installing MLflow'
	@rm -rf .mlflow
	@.uv/bin/uv venv -q --python "$$(command -v python3)" .mlflow
	@.uv/bin/uv pip install -q --python .mlflow/bin/python --no-deps --compile-bytecode -r deploy/mlflow/requirements.txt
	@touch $@

# --- Packages of the system ----------------------------------------------------------------------------------------
system:
	@deploy/setup/packages.sh chromium=chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf=fonts-dejavu-core
