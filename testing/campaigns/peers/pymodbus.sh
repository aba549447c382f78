#!/bin/sh
# Installs pymodbus into a Python environment of its own, and socat where it is missing and the user is root (Debian).
#
#   pymodbus.sh [PREFIX]
#
# PREFIX defaults to $GTX_PEERS_PREFIX, or ~/.cache/gridtokenx/peers. The last line of stdout is the path of Python.
set -eu
version=3.16.0
prefix=${1:-${GTX_PEERS_PREFIX:-$HOME/.cache/gridtokenx/peers}}
python=$prefix/pymodbus-$version/bin/python
mkdir -p "$prefix"
# The second of two callers waits, and then finds the first caller's result.
exec 9>"$prefix/lock"
flock 9
if ! "$python" -c 'import pymodbus, serial' 2>/dev/null; then
  command -v python3 >/dev/null || { echo 'python3 is not there: install it, with venv' >&2; exit 3; }
  python3 -m venv "$prefix/pymodbus-$version" >&2
  "$python" -m pip install --quiet --disable-pip-version-check "pymodbus[serial]==$version" >&2
fi
if ! command -v socat >/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo 'socat is not there: install it' >&2; exit 3; }
  apt-get install -y -qq --no-install-recommends socat >&2 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends socat; } >&2
fi
echo "$python"
