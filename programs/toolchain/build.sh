#!/bin/sh
# build.sh: builds every program to target/deploy and copies it to artifacts/.  Environment: GTX_PROGRAM_IDS=FILE for other ids,
# CARGO_TARGET_DIR for another target folder, GTX_ARTIFACTS for another output folder, SBPF_LINKER=llvm23 for the cross-check linker.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(cd .. && pwd)
for tool in /usr/bin/rustc /usr/bin/cargo "${LLVM22_BIN:-/usr/lib/llvm-22/bin}/llc" python3; do
  command -v "$tool" >/dev/null || { echo "The on-chain toolchain is missing ($tool): run programs/toolchain/setup.sh, which installs the Debian packages rustc-web, cargo-web, libstd-rust-web-dev-bpf, llvm-22 and python3-minimal." >&2; exit 3; }
done
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/sbpf}; export CARGO_TARGET_DIR
OUT=${GTX_ARTIFACTS:-artifacts}
if [ "${SBPF_LINKER:-}" = llvm23 ]; then
  CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER=${SBPF_HOME:-$HOME/.sbpf}/llvm23/sbpf-linker23; export CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER
fi
# The same bytes wherever the repository and cargo's registry lie: panic messages hold paths.
CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS="--remap-path-prefix=$ROOT=gridtokenx --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry"
export CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS
RUSTC=/usr/bin/rustc /usr/bin/cargo build --quiet --release --lib --target bpfel-unknown-none --locked -p gtx-registry -p gtx-oracle -p gtx-energy-token
mkdir -p "$OUT"
for name in registry oracle energy_token; do
  cp "$CARGO_TARGET_DIR/bpfel-unknown-none/release/lib$name.so" "$OUT/$name.so"
  echo "$OUT/$name.so: $(wc -c < "$OUT/$name.so") bytes"
done
