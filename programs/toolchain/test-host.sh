#!/bin/sh
# test-host.sh: the Rust tests that need no chain (wire format, errors, Ed25519 parser, 128-bit arithmetic), on this machine's Rust.
# Environment: CARGO to name another cargo (1.88 or newer).
set -eu
cd "$(dirname "$0")/.."
CARGO=${CARGO:-cargo}
command -v "$CARGO" >/dev/null || { echo "Rust is missing: install rustup's stable toolchain or Debian's cargo-web, then run this again." >&2; exit 3; }
CARGO_TARGET_DIR=$(pwd)/target/host; export CARGO_TARGET_DIR
"$CARGO" test --quiet --locked --manifest-path ../protocol/rust/Cargo.toml
"$CARGO" test --quiet --locked --workspace
