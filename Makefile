# Sluice. `make help` lists what can be made. Needs Go, a C++ toolchain (for the
# embedded DuckDB) and make; every other tool is pinned in .ci/tools/go.mod and
# built on first use.

GO      ?= go
BIN     := bin
TOOL    := $(GO) tool -modfile=.ci/tools/go.mod
BUF     := $(TOOL) buf
# What `buf breaking` compares with; the files as they are on main by default.
AGAINST ?= .git\#branch=main
# The race detector sleeps a second at every exit of a subprocess by default.
export GORACE := atexit_sleep_ms=0
# Seconds a single package's tests may take.
TIMEOUT ?= 1500s

.DEFAULT_GOAL := help
.PHONY: help build demo test check generate generate-check lint breaking vet staticcheck race readme-check kill-test fault-test bench bench-1m bench-10m bench-starts bench-check bench-record sdk-check hosts-check fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Without debugging data: a connector's checksum is computed before each start.
build: ## build sluice, the Zoho connector and the Zoho simulator into bin/
	$(GO) build -ldflags='-s -w' -o $(BIN)/ ./runner/cmd/sluice ./zoho/cmd/sluice-connector-zoho ./zoho/cmd/zohosim

demo: build ## the main job, visibly: 10,000 records to a simulated Zoho CRM and back
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh runner/demo/demo.sh demo

test: ## all tests that need nothing but Go and a C++ toolchain
	$(GO) test -timeout $(TIMEOUT) ./...

check: generate-check lint breaking vet staticcheck race readme-check bench-check ## exactly what CI runs
	@echo "make check: all passed"

generate: ## write gen/ from proto/
	$(BUF) generate

generate-check: generate ## fail when gen/ is not what proto/ says
	@git diff --exit-code --stat -- gen && test -z "$$(git status --porcelain -- gen)" || { echo "gen/ differs from proto/: run 'make generate' and commit the result"; exit 1; }

lint: ## buf lint and format, gofmt
	$(BUF) lint
	$(BUF) format --diff --exit-code
	@test -z "$$(gofmt -l connector runner zoho)" || { gofmt -l connector runner zoho; echo "run gofmt -w on these files"; exit 1; }

breaking: ## fail when proto/ breaks a reader or writer of main's
	$(BUF) breaking --against '$(AGAINST)'

vet: ## go vet
	$(GO) vet ./...

staticcheck: ## staticcheck
	$(TOOL) staticcheck ./connector/... ./runner/... ./zoho/...

race: ## make test under the race detector
	$(GO) test -race -timeout $(TIMEOUT) ./...

readme-check: build bin/tools/grpcurl ## run the commands the README shows, grpcurl on every RPC included
	$(GO) test -count=1 -timeout $(TIMEOUT) -run TestReadme -v ./runner/e2e

bin/tools/grpcurl: .ci/tools/go.mod
	$(GO) build -modfile=.ci/tools/go.mod -o $@ github.com/fullstorydev/grpcurl/cmd/grpcurl

# Kills of processes, and the seed of their moments.
KILLS ?= 300
SEED  ?= 1

kill-test: ## kill processes at random moments and at named points of runs; no record may be lost or doubled
	KILLS=$(KILLS) KILL_SEED=$(SEED) $(GO) test -count=1 -timeout 3600s -parallel 6 -run '^TestKills$$' -v ./runner/e2e

# Troubles on each road besides every fault alone: random pairs of faults.
PAIRS ?= 20

fault-test: ## every fault of the simulator, alone and in pairs; every record must have its outcome
	FAULTS=all FAULT_PAIRS=$(PAIRS) FAULT_SEED=$(SEED) $(GO) test -count=1 -timeout 7200s -parallel 7 -run '^TestFaults$$' -v ./runner/e2e

sdk-check: ## Zoho's own Node and Python SDKs, and fuzzed requests, against the simulator
	sh zoho/zohosim/sdkcheck/run.sh

hosts-check: build ## hosts in Python, TypeScript and Java, and a connector in Python; skips what has no toolchain
	sh connector/examples/hosts/check.sh

BENCH := ./runner/e2e/bench
# How often bench-starts starts the connector.
STARTS ?= 1000

# How long each fuzz target runs, and which: package and name. They read what Zoho sends.
FUZZTIME ?= 10m
FUZZ := crm:FuzzReport crm:FuzzRowErrors crm:FuzzBulkReadCSV crm:FuzzCSVReader crm:FuzzHostileZip crm:FuzzResultZip crm:FuzzMetadata crm:FuzzFields .:FuzzReportJoin

fuzz: ## the readers of reports, results, zips and metadata, FUZZTIME each, one after another
	@set -e; for f in $(FUZZ); do $(GO) test -parallel 1 -run '^$$' -fuzz "^$${f#*:}\$$" -fuzztime $(FUZZTIME) ./zoho/$${f%%:*}; done

bench: build ## every stage against its limit and its peers, whole syncs, memory: 200,000 and 1,000,000 records
	$(GO) run $(BENCH)

bench-1m: build ## the same with 1,000,000 records in each stage
	$(GO) run $(BENCH) --few 1000000 --many 1000000

bench-10m: build ## plans and whole syncs of 10,000,000 records, and whether memory stays flat
	$(GO) run $(BENCH) --few 200000 --many 10000000 --times 1

bench-starts: build ## start the connector 1,000 times; none may stall
	$(GO) run $(BENCH) --sections starts --starts $(STARTS)

bench-check: ## a short run against the recorded ratios
	$(GO) run $(BENCH) --check runner/e2e/bench/recorded.json

bench-record: ## record the ratios of a short run, for bench-check
	$(GO) run $(BENCH) --record runner/e2e/bench/recorded.json

clean: ## remove what was built and what the demo left
	rm -rf $(BIN) demo
