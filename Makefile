# `make help` lists what there is.
SHELL := bash
GO ?= go
FUZZTIME ?= 1m

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## two services prove to each other which machine they are, on the built-in backend
	@$(GO) run ./cmd/clerk-m2m demo

.PHONY: test
test: ## run all tests of the module
	$(GO) test ./...

.PHONY: race
race: ## the same, with the race detector
	$(GO) test -race ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (1m)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

.PHONY: generate
generate: ## make generated/ and internal/server from openapi/
	$(GO) generate ./...

.PHONY: generate-check
generate-check: ## fail when what is committed is not what the spec gives
	@set -e; before=$$(cksum generated/*.gen.go internal/server/*.gen.go); $(GO) generate ./...; \
	  after=$$(cksum generated/*.gen.go internal/server/*.gen.go); \
	  if [ "$$before" != "$$after" ]; then echo "generated code was out of date; commit what 'make generate' wrote:"; \
	    diff <(echo "$$before") <(echo "$$after"); exit 1; fi; echo "generated code is what the spec gives"

.PHONY: lint
lint: ## vet, staticcheck and gofumpt
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...
	@out=$$($(GO) run mvdan.cc/gofumpt@v0.12.0 -l $$(git ls-files '*.go' | grep -v '\.gen\.go$$')); \
	  if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
