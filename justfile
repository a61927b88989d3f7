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
    git diff --exit-code -- package

# Needs cargo-deny 0.20 (`cargo install --locked cargo-deny`).
deny:
    cargo deny check bans licenses sources

# Runs the function under a real Crossplane. Needs Go, etcd-server and
# docker-registry; the first time it builds for a quarter of an hour.
e2e *cases:
    cargo xtask e2e {{cases}}

quickstart *flags:
    cargo run --quiet --example quickstart -- {{flags}}

ci:
    bash .ci/run
