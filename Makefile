# Everything that a newcomer, a developer and the automatic checks call. Each target sets up what it needs and says so.
#
#   make run      builds all, starts the gateway with two of the shipped plugins, prints what to try
#   make test     everything that must be green: format, lints, docs, licences, units, guests, end to end
#   make bench    measures, and prints the figures of docs/performance.md
#   make bench-peers  the same work on Weir and on its peers, in turns; writes docs/performance.md and its charts (40 minutes)
#   make experiments  the founding experiments and the capacity model; writes docs/experiments.md, and what `weir capacity` knows (ONLY=name for one)
#   make bench-crates  the hot functions of every crate, alone
#   make guard    counts their instructions, and fails where there are more than in tests/instructions.toml
#   make soak     a gateway and everything that can happen to it at once, for SOAK_SECONDS (an hour)
#   make attacks  the peers that attack, as many as the machine's file limit allows: the figures of docs/robustness.md
#   make storm, make million, make heartbeats   the long runs of docs/capacity.md, each with most of the machine for itself
#   make conformance  every case of the Autobahn WebSocket suite, compression among them (half an hour and more)
#   make fuzz     the fuzz targets for FUZZ_SECONDS each (their corpora run in `make test`)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

GUEST := wasm32-unknown-unknown
GUEST_DIR := target/guest
# Assertions and overflow checks in Weir's own crates; the dependencies are those of the release build.
CHECKED := --release --config .cargo/checked.toml
FUZZ_SECONDS ?= 600
SESSIONS ?= 1000000
SOAK_SECONDS ?= 3600
VENV := target/venv
TOOLS := target/tools
export CARGO_TERM_COLOR ?= auto
export PATH := $(CURDIR)/$(TOOLS)/bin:$(PATH)

say = @printf '\033[1m== %s\033[0m\n' "$(1)"

.PHONY: build run test bench bench-peers bench-peers-build peers-setup bench-crates guard experiments experiments-setup decoding storm million heartbeats soak fuzz attacks conformance host plugins guests lint format deny docs unit guest-tests js-client sans-io e2e peers clean

build: host plugins

host:
	$(call say,building the gateway (the first time takes some minutes))
	cargo build --release --package weir

# The standard library of the guests' target: rustup fetches it where it is missing.
.PHONY: guest-target
guest-target:
	@if [ ! -d "$$(rustc --print target-libdir --target $(GUEST))" ]; then \
	  echo "adding the Rust target $(GUEST)"; \
	  rustup target add $(GUEST) || { echo "cannot add it; run: rustup target add $(GUEST)" >&2; exit 1; }; \
	fi

plugins: guest-target
	$(call say,building the shipped plugins)
	cargo build --release --target $(GUEST) --manifest-path plugins/Cargo.toml --target-dir $(GUEST_DIR)
	@mkdir -p target/plugins
	@for wasm in $(GUEST_DIR)/$(GUEST)/release/*.wasm; do \
	  name=$$(basename "$$wasm" | tr _ -); cp "$$wasm" "target/plugins/.$$name" && mv "target/plugins/.$$name" "target/plugins/$$name"; \
	done
	@ls -l target/plugins/*.wasm | awk '{ print "  " $$9, $$5, "bytes" }'

# A directory of its own, so that what is tried there leaves the sources alone.
run: build
	@mkdir -p target/run/plugins
	@cp -n examples/quickstart/plugins/*.toml target/run/plugins/ 2>/dev/null || true
	@cp target/plugins/wordfilter.wasm target/run/plugins/10-wordfilter.wasm
	@cp target/plugins/enrich.wasm target/run/plugins/20-enrich.wasm
	$(call say,starting the gateway in target/run (stop it with Ctrl-C))
	@cd target/run && exec ../release/weir run

test: lint unit guest-tests js-client sans-io e2e guard
	$(call say,all green)

lint: format docs deny
	$(call say,clippy)
	cargo clippy $(CHECKED) --workspace --all-targets -- -D warnings
	cargo clippy --release --manifest-path plugins/Cargo.toml --target-dir $(GUEST_DIR) --all-targets -- -D warnings
	cargo clippy --release --manifest-path tests/decoding/Cargo.toml --target-dir $(GUEST_DIR) --all-targets -- -D warnings

format:
	$(call say,rustfmt)
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path plugins/Cargo.toml
	cargo fmt --all --check --manifest-path tests/guests/Cargo.toml
	cargo fmt --all --check --manifest-path tests/decoding/Cargo.toml
	cargo fmt --check --manifest-path examples/telemetry/plugin/Cargo.toml

# `--examples` is for the features: with them the dependencies are those that clippy checks, and are checked once.
docs:
	$(call say,rustdoc)
	RUSTDOCFLAGS="-D warnings" cargo doc $(CHECKED) --workspace --no-deps --lib --bins --examples

# Licences, duplicates, sources, and who may depend on whom. Advisories need their database, which not every network reaches.
deny: $(TOOLS)/bin/cargo-deny
	$(call say,cargo-deny)
	cargo deny check bans licenses sources
	@if cargo tree --workspace --edges normal --invert ring 2>/dev/null | grep -q .; then echo "ring is in the tree: TLS is aws-lc-rs alone" >&2; exit 1; fi
	@cargo deny check advisories 2>target/advisories.log || { \
	  if grep -q 'failed to fetch\|failed to acquire\|unable to open' target/advisories.log; then \
	    echo "advisories: not checked, the database cannot be reached from here"; \
	  else cat target/advisories.log; exit 1; fi; }

$(TOOLS)/bin/cargo-deny:
	$(call say,installing cargo-deny into $(TOOLS))
	@# Not optimised: it takes a few seconds a run instead of one, and minutes less to build.
	@if command -v cargo-deny >/dev/null; then mkdir -p $(TOOLS)/bin && ln -sf "$$(command -v cargo-deny)" $@; \
	else CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --quiet --root $(TOOLS) cargo-deny@0.20.2; fi

unit: guests
	$(call say,unit tests)
	cargo test $(CHECKED) --workspace --exclude weir-tests

guest-tests:
	$(call say,tests of the shipped plugins)
	cargo test --release --manifest-path plugins/Cargo.toml --target-dir $(GUEST_DIR)
	$(call say,tests of the plugins that decode)
	cargo test --release --manifest-path tests/decoding/Cargo.toml --target-dir $(GUEST_DIR)

js-client: target/node/.ready
	$(call say,tests of the client for JavaScript)
	cd sdk/js-client && node --test test/*.test.js

# The crates that do no I/O have no way to do any where there is none.
sans-io: guest-target
	$(call say,the sans-IO crates for $(GUEST))
	cargo build --release --package weir-codec --package weir-core --target $(GUEST)

guests: guest-target
	$(call say,building guest programs that misbehave on purpose)
	cargo build --release --examples --target $(GUEST) --manifest-path tests/guests/Cargo.toml --target-dir target/guests

e2e: plugins guests peers
	$(call say,end to end)
	# With what the unit tests have built: other packages chosen would mean other features, and the engine compiled once more.
	cargo build $(CHECKED) --workspace --exclude weir-tests --bin weir --tests
	cargo test $(CHECKED) --package weir-tests

# `make test` has them too, with fewer peers.
attacks: peers guests
	$(call say,attacks in the long form)
	cargo build $(CHECKED) --workspace --exclude weir-tests --bin weir --tests
	WEIR_ATTACKS=long cargo test $(CHECKED) --package weir-tests --test attacks --test misbehave --test reload

# Clients and servers that we did not write.
peers: $(VENV)/.ready target/node/.ready browser

# A browser for WebTransport: one that is there, or Debian's. Where neither can be had, target/browser is empty, the test that needs it
# says nothing, and this does.
.PHONY: browser
browser:
	@mkdir -p target
	@if [ -s target/browser ] && [ -x "$$(cat target/browser)" ]; then exit 0; fi; \
	browser=$$(command -v chromium || command -v chromium-browser || command -v google-chrome || true); \
	if [ -z "$$browser" ] && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "there is no browser; installing Debian's chromium"; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; \
	  browser=$$(command -v chromium); \
	fi; \
	echo "$$browser" | sed '/^$$/d' > target/browser; \
	if [ -z "$$browser" ]; then printf '\033[1;31m!! no Chromium, and no way to install it: WebTransport is NOT tested with a browser\033[0m\n' >&2; fi

$(VENV)/.ready: tests/peers/requirements.txt
	$(call say,installing Python peers into $(VENV))
	python3 -m venv $(VENV) || { \
	  echo "python3 has no venv module; installing Debian's python3-venv"; \
	  apt-get update -q && apt-get install -y -q python3-venv && python3 -m venv $(VENV); }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/peers/requirements.txt
	@touch $@

target/node/.ready: tests/peers/package.json
	$(call say,installing Node peers into target/node)
	@command -v npm >/dev/null || { echo "npm is missing; installing Debian's nodejs and npm"; apt-get update -q && apt-get install -y -q nodejs npm; }
	@mkdir -p target/node && cp tests/peers/package.json target/node/
	npm install --prefix target/node --silent --no-audit --no-fund
	@touch $@

# The suite sets itself up in target/ from Debian and PyPI.
conformance: host
	$(call say,WebSocket conformance)
	tests/peers/conformance.sh target/release/weir target/conformance $(CASES)

bench: build
	$(call say,benchmarks)
	cargo bench --package weir-plugin --bench calls
	cargo run --release --package weir-tests --bin bench

# A quick look: make bench-peers PAIRS=1 SLICE_MS=400 ONLY=echo,idle PEERS=bun,nats
bench-peers: bench-peers-build
	$(call say,the same work on Weir and on its peers (35 minutes; leave the machine alone meanwhile))
	target/release/bench-peers

# All that is compiled and fetched for it: the first time longer than the comparison itself.
bench-peers-build: build peers-setup
	$(call say,what measures)
	cargo build --release --package weir-tests --bin bench --bin bench-peers
	calls=$$(cargo bench --package weir --package weir-plugin --bench calls --no-run --message-format json \
	  | sed -n 's|.*"executable":"\([^"]*/calls-[^"]*\)".*|\1|p') && ln -sf "$$calls" target/peers/calls

# Into target/peers, from Debian, npm and crates.io; what cannot be had is said on the page.
peers-setup: guest-target
	$(call say,peers: from npm and Debian and crates.io)
	tests/bench-peers/setup.sh

# Eight minutes at most, once `make experiments-setup` has built what is measured; leave the machine alone meanwhile. Tables go into
# docs/experiments.md, coefficients into host/capacity and docs/capacity.md; `make build` then makes a gateway that carries them.
# ONLY="connections stealing" runs those.
EXPERIMENTS := target/experiments
experiments: experiments-setup
	$(call say,the founding experiments)
	target/release/experiments --write $(ONLY)

experiments-setup: build $(if $(filter decoding,$(or $(ONLY),decoding)),decoding)
	cargo build --release --package weir-tests --bin experiments

# The plugins and messages of one of them, and its bench, which stands with the plugin runtime.
decoding: guest-target
	$(call say,building the plugins that decode)
	cargo build --release --target $(GUEST) --manifest-path tests/decoding/Cargo.toml --target-dir $(EXPERIMENTS)/guests --package decode-json --package decode-protobuf --package decode-flatbuffers
	@mkdir -p $(EXPERIMENTS)/plugins && cp $(EXPERIMENTS)/guests/$(GUEST)/release/decode_*.wasm $(EXPERIMENTS)/plugins/
	cargo run --release --manifest-path tests/decoding/Cargo.toml --target-dir $(GUEST_DIR) --bin samples -- $(EXPERIMENTS)/samples
	cargo bench --workspace --exclude weir-tests --bench decoding --no-run

# With what the unit tests have built, so that the engine is not compiled once more; Weir's own crates without their assertions.
HOT := cargo build --release --workspace --exclude weir-tests --bin guard --bench hot

bench-crates: plugins
	$(call say,the hot functions of every crate)
	cargo bench --workspace --exclude weir-tests --bench hot

# What valgrind counts is the same whatever else the machine does, so a shared one will do.
guard: plugins
	$(call say,instructions of the hot functions)
	@mkdir -p target/guard
	@if ! command -v valgrind >/dev/null; then \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "valgrind is missing; installing Debian's"; apt-get update -q && apt-get install -y -q --no-install-recommends valgrind; \
	  fi; \
	fi
	@if command -v valgrind >/dev/null; then \
	  $(HOT) --message-format=json-render-diagnostics > target/guard/built.json && target/release/guard target/guard/built.json; \
	else printf '\033[1;31m!! no valgrind, and no way to install it: INSTRUCTIONS ARE NOT COUNTED\033[0m\n' >&2; fi

# A gateway and everything that can happen to it at once; ten minutes are the least that says anything of its memory.
soak: plugins guests
	$(call say,a soak of $(SOAK_SECONDS) s)
	cargo build $(CHECKED) --workspace --exclude weir-tests --bin weir --tests
	SOAK_SECONDS=$(SOAK_SECONDS) cargo run $(CHECKED) --package weir-tests --bin soak

# 15,000 clients that are cut off and come back at once.
storm: build
	$(call say,a storm)
	cargo run --release --package weir-tests --bin bench storm

# Both ends of the sessions on this machine: some 8 KiB a session. It stops before memory is used up, and after 11 minutes at most.
million: build
	$(call say,$(SESSIONS) sessions)
	cargo run --release --package weir-tests --bin bench million --sessions $(SESSIONS)

# 10,000 clients with a heartbeat a second, for HEARTBEAT_SECONDS (half an hour); `make test` has two minutes of it.
heartbeats: build
	$(call say,heartbeats)
	cargo run --release --package weir-tests --bin bench heartbeats

# What is found that reaches further is kept in target/fuzz/corpus, for the next time; what breaks something stands in the crate's
# fuzz/artifacts. ONLY="request artifact" runs those. There is no unsafe code to watch with a sanitizer.
fuzz: guests
	$(call say,fuzzing $(FUZZ_SECONDS) s a target)
	@command -v cargo-fuzz >/dev/null || cargo install --locked --quiet --root $(TOOLS) cargo-fuzz@0.13.2
	@for fuzz in host/*/fuzz host/plugin/tests/fuzz; do \
	  for target in $$(cargo fuzz list --fuzz-dir $$fuzz); do \
	    case " $(or $(ONLY),$$target) " in *" $$target "*) ;; *) continue ;; esac; \
	    found=target/fuzz/corpus/$$fuzz/$$target; mkdir -p $$found; \
	    printf '\033[1m== %s: %s\033[0m\n' $$fuzz $$target; \
	    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $$fuzz --target-dir target/fuzz/build --sanitizer none $$target \
	      $$found $$fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS); \
	  done; \
	done

clean:
	cargo clean
