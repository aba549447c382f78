#!/bin/sh
# build.sh: builds every program to target/deploy and copies it to artifacts/.  Environment: GTX_PROGRAM_IDS=FILE for other ids,
# CARGO_TARGET_DIR for another target folder, GTX_ARTIFACTS for another output folder, SBPF_LINKER=llvm23 for the cross-check linker.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(cd .. && pwd)
for tool in /usr/bin/rustc /usr/bin/cargo "${LLVM22_BIN:-/usr/lib/llvm-22/bin}/llc" python3; do
  command -v "$tool" >/dev/null || { echo "The on-chain toolchain is missing ($tool): run programs/toolchain/setup.sh, which installs the Debian packages rustc-web, cargo-web, libstd-rust-web-dev-bpf, llvm-22 and python3-minimal." >&2; exit 3; }
done
CARGO_TARGET_DIR=$(mkdir -p "${CARGO_TARGET_DIR:-target/sbpf}" && cd "${CARGO_TARGET_DIR:-target/sbpf}" && pwd); export CARGO_TARGET_DIR
OUT=${GTX_ARTIFACTS:-artifacts}
if [ "${SBPF_LINKER:-}" = llvm23 ]; then
  CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER=${SBPF_HOME:-$HOME/.sbpf}/llvm23/sbpf-linker23; export CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER
fi
# The same bytes wherever the repository lies. Panic messages hold paths, and cargo names the symbols of a crate outside the workspace
# (protocol/rust) by its absolute path, which changes their order: so the sources are built in one fixed place, one build at a time.
HERE=$(pwd)
BUILD=/tmp/gridtokenx-sbpf
mkdir -p "$BUILD"
exec 9>"$BUILD/lock"
flock 9
rm -rf "$BUILD/src"
mkdir -p "$BUILD/src/programs" "$BUILD/src/protocol/rust"
cp -Rp Cargo.toml Cargo.lock ids.json .cargo registry oracle energy-token common toolchain "$BUILD/src/programs/"
cp -Rp ../protocol/rust/Cargo.toml ../protocol/rust/src "$BUILD/src/protocol/rust/"
case "${GTX_PROGRAM_IDS:-}" in ''|/*) ;; *) GTX_PROGRAM_IDS=$HERE/$GTX_PROGRAM_IDS; export GTX_PROGRAM_IDS ;; esac
ROOT=$BUILD/src
cd "$BUILD/src/programs"
CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS="--remap-path-prefix=$ROOT=gridtokenx --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry"
export CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS
RUSTC=/usr/bin/rustc /usr/bin/cargo build --quiet --release --lib --target bpfel-unknown-none --locked -p gtx-registry -p gtx-oracle -p gtx-energy-token
cd "$HERE"
mkdir -p "$OUT"
for name in registry oracle energy_token; do
  cp "$CARGO_TARGET_DIR/bpfel-unknown-none/release/lib$name.so" "$OUT/$name.so"
  echo "$OUT/$name.so: $(wc -c < "$OUT/$name.so") bytes"
done
