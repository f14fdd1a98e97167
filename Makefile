# `make help` lists what there is.
SHELL := bash
GO ?= go
FUZZTIME ?= 1m
CHAOSTIME ?= 10m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
# Modules of their own, so that what they need never becomes a dependency of the library's users.
# It waits by the clock, so its tests have the machine for themselves.
CHAOS := internal/chaos
MODULES := bench examples interop internal/consumer internal/drift

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## two services prove to each other which machine they are, on the built-in backend
	@$(GO) run ./cmd/clerk-m2m demo

.PHONY: test
test: ## run all tests of the module
	$(GO) test $$($(GO) list ./... | grep -v $(CHAOS))
	$(GO) test ./internal/chaos

.PHONY: race
race: ## the same, with the race detector
	$(GO) test -race $$($(GO) list ./... | grep -v $(CHAOS))
	$(GO) test -race ./internal/chaos

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (1m)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

.PHONY: chaos
chaos: ## client, token source, authn and middleware together under faults, for CHAOSTIME (10m)
	$(GO) run ./internal/chaos -duration $(CHAOSTIME)

.PHONY: interop
interop: interop/node_modules/.package-lock.json ## Clerk's JavaScript and Go SDKs, and Prism, against us (needs node and npm)
	cd interop && $(GO) run .

interop/node_modules/.package-lock.json: interop/package.json interop/package-lock.json
	cd interop && npm ci

.PHONY: modules
modules: ## vet and test the modules that stand beside the library: examples, consumer, drift, interop, bench
	@set -e; for m in $(MODULES); do echo "== $$m"; (cd $$m && $(GO) vet ./... && $(GO) test ./...); done

.PHONY: generate
generate: ## make generated/ and internal/server from openapi/
	$(GO) generate ./...

.PHONY: generate-check
generate-check: ## fail when what is in the tree is not what the spec gives; changes nothing
	@GO="$(GO)" internal/generate-check.sh

.PHONY: spec-drift
spec-drift: ## what a full Clerk spec says otherwise than we recorded: make spec-drift UPSTREAM=bapi.yml
	@$(GO) build -C internal/drift -o ../../bin/spec-drift . && bin/spec-drift "$(UPSTREAM)"

.PHONY: spec-drift-accept
spec-drift-accept: ## record those differences as deliberate: make spec-drift-accept UPSTREAM=bapi.yml
	@$(GO) build -C internal/drift -o ../../bin/spec-drift . && bin/spec-drift -update "$(UPSTREAM)"

.PHONY: lint
lint: ## vet, staticcheck and gofumpt
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@out=$$($(GO) run $(GOFUMPT) -l $$(git ls-files '*.go' | grep -v '\.gen\.go$$')); \
	  if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi

.PHONY: bench
bench: ## measure against the limit and the peers, side by side; ONLY=verify,client measures parts
	cd bench && $(GO) build -o clerk-m2m-bench . && ./clerk-m2m-bench $(if $(ONLY),-only $(ONLY))

.PHONY: bench-report
bench-report: ## the same, written to bench/REPORT.md and bench/plots
	cd bench && $(GO) build -o clerk-m2m-bench . && ./clerk-m2m-bench -report $(if $(ONLY),-only $(ONLY))
