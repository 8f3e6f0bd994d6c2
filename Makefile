# quietpost: make help lists what can be made.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of flags for every go command: another set of tags, or -trimpath on one and not on the other, compiles SQLite
# anew. What GOFLAGS holds already is kept, but for its tags.
TAGS    := netgo,osusergo,sqlite_omit_load_extension
GOFLAGS := $(strip $(filter-out -tags=% -trimpath,$(shell go env GOFLAGS)) -trimpath -tags=$(TAGS))
export GOFLAGS
export CGO_ENABLED := 1

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.1

FUZZTIME ?= 30s
KILLS    ?= 200
SOAK     ?= 1h
CUTS     ?= 10
CHAOS    ?= 10m
YEAR     ?= 365
OUT      ?= $(or $(TMPDIR),/tmp)/quietpost-lines.tsv

prefix       ?= /usr/local
bindir       ?= $(prefix)/bin
sysconfdir   ?= /etc
docdir       ?= $(prefix)/share/doc/quietpost
unitdir      ?= $(prefix)/lib/systemd/system
sysusersdir  ?= $(prefix)/lib/sysusers.d
tmpfilesdir  ?= $(prefix)/lib/tmpfiles.d

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build and try it out: a demo with nothing to set up
	@echo "The first build compiles SQLite: about a minute."
	go build -ldflags '$(LDFLAGS)' -o bin/quietpost ./cmd/quietpost
	bin/quietpost demo

.PHONY: build
build: ## bin/quietpost: one static binary
	go build -ldflags '-linkmode external -extldflags "-static" $(LDFLAGS)' -o bin/quietpost ./cmd/quietpost
	@if LC_ALL=C ldd bin/quietpost >/dev/null 2>&1; then \
		echo "bin/quietpost is not static:" >&2; ldd bin/quietpost >&2; exit 1; fi
	@bin/quietpost version

.PHONY: test
test: ## all tests, with the race detector, against real mail servers (root; installs them on Debian and Ubuntu)
	test/install.sh
	go test -race -shuffle=on -timeout 20m ./...

.PHONY: check
check: ## format, vet, staticcheck, and the arrows between the packages
	@files=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); \
		if [ -n "$$files" ]; then echo "gofmt -w is wanted for:" >&2; echo "$$files" >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go test -count=1 ./test/laws

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; done; done

.PHONY: lines
lines: ## the digest line of every delivery of QUIETPOST_CORPUS, as a table in OUT
	QUIETPOST_LINES="$(OUT)" go test -count=1 -v -run '^TestLines$$' ./test/lines

.PHONY: bench
bench: ## every benchmark
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: docs
docs: ## docs/tools from the map files
	QUIETPOST_UPDATE=1 go test -count=1 -run '^TestDocs$$' ./collector/tools

.PHONY: slots
slots: ## schedules in every zone from 2020 to 2040 against an independent reference
	QUIETPOST_SLOTS=all go test -count=1 -v -timeout 2h -run 'Reference' ./digest/schedule

.PHONY: crash
crash: ## the long drill: KILLS (200) times kill -9, and at each write and sync, then an audit of the reader's mails
	test/install.sh
	QUIETPOST_KILLS=$(KILLS) QUIETPOST_STRACE=all QUIETPOST_FAULTS=all go test -count=1 -v -timeout 4h -run '^(TestKill9|TestStraceKill|TestSyncFails|TestDisk.*)$$' ./test

.PHONY: chaos-imap
chaos-imap: ## CHAOS (10m) of faults against a real Dovecot under steady delivery: every mail exactly one item
	test/install.sh
	QUIETPOST_CHAOS=$(CHAOS) go test -count=1 -v -timeout 4h -run '^TestChaosIMAP$$' ./test

.PHONY: soak
soak: ## SOAK (1h) of 100 webhooks a second with digests, alerts and a mail server that fails: nothing grows, nothing is lost
	QUIETPOST_SOAK=$(SOAK) go test -count=1 -v -timeout 48h -run '^TestSoak$$' ./test

.PHONY: powercut
powercut: build ## pull the plug of a virtual machine CUTS (10) times; installs qemu on Debian and Ubuntu
	test/powercut/prepare.sh bin/quietpost bin/powercut
	QUIETPOST_POWERCUT=$(CURDIR)/bin/powercut QUIETPOST_CUTS=$(CUTS) go test -count=1 -v -timeout 2h -run '^TestPowerCut$$' ./test

.PHONY: year
year: ## YEAR (365) days of 200 people in one database: its size, and what a day costs in it
	QUIETPOST_YEAR=$(YEAR) go test -count=1 -v -timeout 4h -run '^TestYear$$' ./test/bench

# Only built if it is not there: under sudo, Go is often not found, or compiles SQLite once more.
bin/quietpost:
	$(MAKE) build

.PHONY: install
install: bin/quietpost ## bin/quietpost, unit, user and example to DESTDIR, prefix (/usr/local); starts nothing
	install -D -m 0755 bin/quietpost $(DESTDIR)$(bindir)/quietpost
	install -d $(DESTDIR)$(unitdir)
	sed 's,/usr/bin/quietpost,$(bindir)/quietpost,' systemd/quietpost.service >$(DESTDIR)$(unitdir)/quietpost.service
	install -m 0644 systemd/quietpost.socket $(DESTDIR)$(unitdir)/quietpost.socket
	install -D -m 0644 systemd/sysusers.conf $(DESTDIR)$(sysusersdir)/quietpost.conf
	install -D -m 0644 systemd/tmpfiles.conf $(DESTDIR)$(tmpfilesdir)/quietpost.conf
	install -D -m 0644 config/quietpost.yaml $(DESTDIR)$(docdir)/quietpost.yaml.example
	@echo "Installed $$(bin/quietpost version)."
	@echo "Next: systemd-sysusers && systemd-tmpfiles --create, write $(sysconfdir)/quietpost/quietpost.yaml," \
		"systemctl daemon-reload && systemctl enable --now quietpost"
