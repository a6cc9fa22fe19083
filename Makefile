# make demo   the story: faults are made and stopped, in about a minute
# make test   every test, on real servers
# make converge  ten thousand orders on the worst day, cores killed and frozen; SLUICE_SEED plays one again
# make up     the same servers as the demo, until Ctrl-C
# make kafka  a real Apache Kafka, until Ctrl-C
# make bench  figures, each beside its floor
# make bench-routing  claims beside as long a history as fits into its time
.PHONY: demo test converge up kafka bench bench-routing build check

export PATH := $(PATH):/usr/sbin:$(CURDIR)/.run/tools

build:
	@cargo build --release --workspace --bins

demo:
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@exec target/release/sluice-drill demo

up:
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@exec target/release/sluice-drill up

kafka:
	@scripts/setup kafka
	@$(MAKE) --no-print-directory build
	@exec target/release/sluice-drill kafka

bench:
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@exec target/release/sluice-drill bench

bench-routing:
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@exec target/release/sluice-drill bench routing

test:
	@scripts/setup test
	@cargo build --workspace --bins --tests
	@RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} cargo test --workspace --no-fail-fast

converge:
	@scripts/setup test
	@cargo build --workspace --bins --tests
	@SLUICE_CONVERGE_ORDERS=$${SLUICE_CONVERGE_ORDERS:-10000} cargo test --workspace --test system -- --nocapture converge

check:
	@cargo fmt --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	@cargo deny --log-level error check bans licenses sources
