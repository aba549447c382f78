#!/bin/sh
# check.sh: rebuilds every program in a clean target folder and compares the bytes with the committed artifacts.
# Exit 0: the same; 1: different; 3: the toolchain is missing (the message says what to install).
set -eu
cd "$(dirname "$0")/.."
unset GTX_PROGRAM_IDS # the committed files are the development build
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT INT TERM
CARGO_TARGET_DIR="$WORK/target" GTX_ARTIFACTS="$WORK/artifacts" toolchain/build.sh >/dev/null || exit $?
different=0
for name in registry oracle energy_token; do
  if cmp -s "artifacts/$name.so" "$WORK/artifacts/$name.so"; then
    echo "artifacts/$name.so is what the sources give"
  else
    echo "artifacts/$name.so is not what the sources give: run programs/toolchain/build.sh and commit it" >&2
    different=1
  fi
done
exit $different
