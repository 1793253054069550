.PHONY: build test check fuzz screenshots bench bench-growth bench-peers

# The binary is static: nothing else has to be installed where it runs.
build:
	CGO_ENABLED=0 go build -trimpath -o latchkey ./cmd/latchkey

# What is nothing but computing, and several times slower with the race detector, goes without it,
# also in the binary that e2e builds.
UNWATCHED = modernc.org/sqlite/lib image/... golang.org/x/image/... compress/...

# All tests: with the race detector, and without it those that look at pages in a browser, are larger
# then or count allocations. Missing Debian packages are installed when run as root or
# with sudo. Most that are watched wait for a disk or a time limit: four at a time keep two cores busy.
test:
	./scripts/install-test-packages
	CGO_ENABLED=1 GOFLAGS="$$GOFLAGS $(UNWATCHED:%=-gcflags=%=-race=false)" go test -race -parallel 4 -timeout 30m ./...
	go test -timeout 30m -run 'TestBrowser|TestEngines/./(no_fill|a_revocation|replicas|a_row)|TestListsUseIndexes|TestRequestsAllocateLittle' ./e2e ./internal/store ./cmd/latchkey

check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./...
	go tool staticcheck ./...

# Each fuzzer for a while: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z]*' . | sed 's|/[^/]*:func | |' | while read -r package f; do \
		go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; done

# Renews the pictures of the documentation from those that the browser tests made.
screenshots:
	go test -count 1 -run Browser ./e2e -for-repository
	mkdir -p docs/screenshots
	cp e2e/screenshots/docs/*.png docs/screenshots/

# What Latchkey does under load, beside what is asked of it: make bench
# BENCHFLAGS='-engines sqlite -workloads check'. The report is left in bench/report.
bench: build
	go run ./bench $(BENCHFLAGS)

# What it costs that a store grows. This takes half an hour or more, and 10 GB of the disk.
bench-growth: build
	go run ./bench -grow 1000,10000,100000,1000000,10000000 $(BENCHFLAGS)

# Installs the servers that the benchmark also measures: it skips those that are missing.
bench-peers:
	./scripts/install-bench-peers
