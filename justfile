# A recipe per job of CI. `.ci/run` runs them all, and needs no just.

default:
    @just --list

test:
    cargo test

fmt:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Makes what is generated anew; leaves no diff when it was fresh.
generate:
    cargo run --quiet --example crd -- --write
    cargo run --quiet --example provider-crds -- --write
    git diff --exit-code -- package

# Needs cargo-deny 0.20 (`cargo install --locked cargo-deny`).
deny:
    cargo deny check bans licenses sources

# Needs promtool, which `.ci/run` fetches where it is missing.
monitoring:
    promtool check rules monitoring/rules.yaml
    promtool test rules monitoring/rules_test.yaml

# Runs the function under a real Crossplane. Needs what tests/e2e/README.md says.
e2e *cases:
    cargo xtask e2e {{cases}}

# Twenty thousand schedules, and every crash point of every kind and variant.
simulation:
    SIMULATION_SEEDS=20000 cargo simulation --nocapture

# The binary with tokens of one minute, for ten.
short-tokens:
    cargo test --test it with_tokens_of_one_minute -- --ignored --nocapture

# Fuzzes `request`, `input` or `answers`. Needs nightly Rust and cargo-fuzz.
fuzz target *flags:
    cargo run --quiet --manifest-path fuzz/Cargo.toml --example seed
    cargo +nightly fuzz run --sanitizer none {{target}} -- {{flags}}

quickstart *flags:
    cargo run --quiet --example quickstart -- {{flags}}

# The image and the package, for this machine or, with --arch, for another.
package *flags:
    cargo xtask package {{flags}}

# All that a release has, in a folder.
release folder:
    bash .ci/release {{folder}}

# Pushes the packages of such a folder as one. Needs Go.
publish folder reference:
    bash .ci/publish {{folder}} {{reference}}

ci:
    bash .ci/run
