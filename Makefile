# hotcold: `make` alone says what there is. It needs Go, git and make.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEPGUARD    := github.com/OpenPeeDeeP/depguard/v2/cmd/depguard@v2.3.0

MODULE  := github.com/hotcold/hotcold
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The commit and its date are stamped by Go where git can be asked.
BUILDVCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)
LDFLAGS  := -s -w -buildid= -X $(MODULE)/internal/buildinfo.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help build demo test terraform-schema tofu-validate sim sim-table bench bench-balancer lint fmt check reproducible clean FORCE

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: bin/hotcold ## the static binary bin/hotcold; the same commit gives the same bytes

# go build knows better than make whether something changed.
bin/hotcold: FORCE
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(BUILDVCS) -ldflags '$(LDFLAGS)' -o $@ ./cmd/hotcold

demo: build ## a hot node dies and its cold twin takes over, on this machine (ARGS=--once runs by itself)
	bin/hotcold demo $(ARGS)

test: ## all tests on real servers, with the race detector; installs what they need (ARGS='-run X ./lease')
	@scripts/test.sh $(ARGS)

terraform-schema: ## the names of Terraform's arguments anew, from the providers' published schemas (npm, 65 MB)
	@scripts/terraform-schema.sh

tofu-validate: ## what is rendered for Terraform, validated by OpenTofu (the first time: minutes, 3 GB of modules)
	@scripts/tofu-validate.sh

sim: ## the lease in simulated trouble, on new seeds until Ctrl-C
	@mkdir -p bin && go test -c -o bin/sim ./lease
	@cd lease && HOTCOLD_SIM=forever ../bin/sim -test.run '^TestSimulateUntilStopped$$' -test.timeout 0

sim-table: ## break each rule of the lease anew, and write down which seed finds it (docs/design/lease.md)
	HOTCOLD_SIM=table go test -count=1 -timeout 30m -run '^TestEachBrokenRuleIsFound$$' ./lease

bench: ## all benchmarks, and the size of the binary
	@scripts/test-deps.sh || true
	go test -run '^$$' -bench . -benchmem -timeout 30m $(or $(ARGS),./...)
	@$(MAKE) --silent build && stat -c '%n %s bytes' bin/hotcold

bench-balancer: ## the data paths beside HAProxy and nginx (ROUNDS=5; settings: bench/balancer/doc.go)
	@scripts/test-deps.sh || true
	go test -run '^$$' -bench . -timeout 0 ./bench/balancer

lint: ## format, vet, static analysis, import rules, rules of the house
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	go mod tidy -diff
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(DEPGUARD) ./...
	go test -count=1 ./internal/house
	@if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run; else echo "shellcheck is not installed: scripts are not checked"; fi

fmt: ## format all Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

check: lint test ## what the build runs

reproducible: ## build HEAD twice in two folders, once from nothing, and compare
	@scripts/reproducible.sh

clean: ## remove what was built and fetched
	rm -rf bin dist .cache
