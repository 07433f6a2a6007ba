# One entry point for people and for CI. `make help` lists the targets.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
# Set to 0 to build with a newer compiler that warns of more.
export DKP_WARNINGS_AS_ERRORS ?= 1
# Set to `no` where something else provides the libraries.
SETUP ?= yes
BENCH_PYTHON ?= .venv/bin/python
BENCH_ARGUMENTS ?=
# Where `make deb` puts the package.
PACKAGES ?= .build/packages

FUZZ_SECONDS ?= 150

SOURCES := Package.swift Sources Tests Benchmarks/Engine
# The same build serves the programs and the tests: nothing is @testable, and numeric tests want the optimiser.
BUILD := $(SWIFT) build -c release
# Many tests wait for processes of their own; all at once they starve one another on a small machine.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 6
TEST := $(SWIFT) test -c release --disable-xctest --disable-testable-imports

SOAK_SUITES := Killed.or.stopped.at.any.instant|Files.dropped.in.any.way|damaged.job.directories
SOAK_SUITES := $(SOAK_SUITES)|kills.a.worker.that.does.not.listen|The.operator.s.commands.killed
SOAK_SUITES := $(SOAK_SUITES)|Two.other.users.write|Hostile.files.in.front

.PHONY: help setup libraries build demo test test-fast test-systemd soak fuzz format lint bench install deb clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install the Debian packages that are missing; check for Swift
	@Tools/setup.sh

# What every other target starts with: a quick look, and an installation only where something is missing.
libraries:
ifeq ($(SETUP),yes)
	@Tools/setup.sh --quiet
endif

build: libraries ## Build dkp and dkpd, optimised, into .build/release
	$(BUILD) --product dkp
	$(BUILD) --product dkpd

demo: build ## Restore a sample image through the daemon and score the result
	@Tools/demo.sh

test: libraries ## Run every test
	$(TEST)

test-fast: libraries ## Run the tests that are not tagged slow
	$(TEST) $$(Tools/slow-tests Tests)

test-systemd: build ## Test the package under a real systemd, in namespaces (as root; else skipped)
	Tests/Systemd/run .build/release

soak: libraries ## Break things at length: kills, stops, floods of files; prints counts (an hour or more)
	@SOAK=1 $(TEST) --filter '$(SOAK_SUITES)' | tee .build/soak.log; echo; grep '^soak:' .build/soak.log

fuzz: libraries ## Look for inputs that crash or hang, with libFuzzer, FUZZ_SECONDS for each of four kinds
	@Tools/fuzz $(FUZZ_SECONDS)

format: ## Format every Swift source in place
	$(SWIFT) format -i -p -r $(SOURCES)

lint: libraries ## Check format, imports and scripts, and build everything with warnings as errors
	$(SWIFT) format lint --strict -p -r $(SOURCES)
	@Tools/lint-scripts
	@! command -v python3 >/dev/null || Tools/check-imports
	@Tools/build-without-warnings $(BUILD) --build-tests
	@Tools/check-daemon-libraries .build/release/dkpd

bench: build ## Measure the limits, beside PyTorch (downloads it into .venv the first time)
	$(BUILD) --product dkp-benchmark
	@[[ "$(BENCH_PYTHON)" != .venv/bin/python ]] || Tools/bench-environment.sh
	@Benchmarks/run --python $(BENCH_PYTHON) $(BENCH_ARGUMENTS)

# Programs to install: with the Swift runtime in them.
install deb test-systemd: export DKP_STATIC_RUNTIME := 1

install: build ## Install under DESTDIR/PREFIX
	DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) Tools/packaging/install .build/release

deb: build ## Make a Debian package in .build/packages
	Tools/packaging/deb .build/release $(PACKAGES)

clean: ## Remove what was built
	rm -rf .build .build-* .venv demo-state
