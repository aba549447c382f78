#!/bin/sh
# lint.sh: `cargo fmt --check` and clippy, warnings denied, for every Rust workspace. Exit 0: no finding; 1: findings; 3: a tool is missing.
# Environment: CARGO to name another cargo (1.88 or newer, with clippy and rustfmt).
set -eu
cd "$(dirname "$0")/../.."
CARGO=${CARGO:-cargo}
for tool in fmt clippy; do
  "$CARGO" "$tool" --version >/dev/null 2>&1 || { echo "cargo $tool is missing: run 'rustup component add clippy rustfmt' or programs/toolchain/setup.sh, which installs Debian's rust-web-clippy and rustfmt-web." >&2; exit 3; }
done
CARGO_TARGET_DIR=$(pwd)/programs/target/host; export CARGO_TARGET_DIR
found=0
for workspace in protocol/rust programs; do
  if "$CARGO" fmt --all --check --manifest-path "$workspace/Cargo.toml" &&
    "$CARGO" clippy --quiet --locked --workspace --all-targets --manifest-path "$workspace/Cargo.toml" -- -D warnings; then
    echo "$workspace: no finding"
  else
    found=1
  fi
done
exit $found
