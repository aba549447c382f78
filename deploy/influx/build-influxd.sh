#!/usr/bin/env bash
# Builds the InfluxDB 2 server (influxd: HTTP API and Flux, without its web page) from source packages: the server and
# Flux are Go modules, Flux's parser is Rust. Tests and small installations use it where no server package is at hand.
#
#   deploy/influx/build-influxd.sh [PREFIX]
#
# PREFIX defaults to $GTX_INFLUXD_PREFIX, or ~/.cache/gridtokenx/influxd-VERSION. The last line of stdout is the path of
# the binary, PREFIX/bin/influxd; everything else goes to stderr. A binary that is already there is only named. Needs
# Go 1.23 or newer, Rust 1.83 or newer (cargo, rustc) and a C compiler; about 5 minutes on two cores and 3 GB of disk
# while it builds, 110 MB afterwards. Exit codes: 0 built, 2 a tool is missing, 1 the build failed.
set -euo pipefail

version=${GTX_INFLUXD_VERSION:-v2.7.12}
prefix=${1:-${GTX_INFLUXD_PREFIX:-$HOME/.cache/gridtokenx/influxd-$version}}
binary=$prefix/bin/influxd
work=$prefix/work

say() { printf 'influxd %s, %3d s: %s\n' "$version" "$SECONDS" "$*" >&2; }
is_built() { [ -x "$binary" ] && "$binary" version 2>/dev/null | grep -qF "InfluxDB $version "; }
finish() { printf '%s\n' "$binary"; exit 0; }
# Runs a command with its output in a file, and shows the end of that file when it fails.
quietly() {
  local record=$work/$1.log
  shift
  "$@" >"$record" 2>&1 && return
  say "failed: $* (whole record: $record)"
  tail -n 30 "$record" >&2
  exit 1
}

is_built && finish
for tool in go cargo rustc "${CC:-cc}"; do
  command -v "$tool" >/dev/null && continue
  say "'$tool' is missing: install Go, Rust and a C compiler, then run this again"
  exit 2
done

mkdir -p "$work" "${binary%/*}"
# Two at a time would spoil each other's folder; the later one finds the binary made.
exec 9>"$prefix/lock"
flock 9
is_built && finish

export GOWORK=off CGO_ENABLED=1
# Copies a module's source out of Go's read-only cache, once; the download is checked against the checksum database.
source_of() { # MODULE VERSION FOLDER
  [ -e "$3/.whole" ] && return
  say "fetching $1 $2"
  local record
  record=$(cd "$work" && GOFLAGS=-mod=mod go mod download -json "$1@$2") || { printf '%s\n' "$record" >&2; exit 1; }
  local cached
  cached=$(sed -nE 's/^[[:space:]]*"Dir": "(.+)",?$/\1/p' <<<"$record")
  rm -rf "$3"
  cp -R --no-preserve=mode "$cached" "$3"
  touch "$3/.whole"
}

server=$work/influxdb-$version
source_of github.com/influxdata/influxdb/v2 "$version" "$server"
flux_version=$(cd "$server" && GOFLAGS=-mod=readonly go list -m -f '{{.Version}}' github.com/influxdata/flux)
flux=$work/flux-$flux_version
source_of github.com/influxdata/flux "$flux_version" "$flux"
# It asks rustup for one old compiler; any newer one does.
rm -f "$flux/rust-toolchain.toml"

# Named after Flux's version, and part of CGO_LDFLAGS below: Go's build cache does not look at what pkg-config says, and
# would otherwise link the library of an earlier build.
library=$work/libflux-$flux_version
if [ ! -e "$library/libflux.a" ]; then
  say "building Flux's parser (Rust), record in $work/rust.log"
  mkdir -p "$library"
  cd "$flux/libflux"
  RUSTFLAGS=--cap-lints=warn CARGO_TARGET_DIR=$work/target CARGO_TERM_COLOR=never \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_INCREMENTAL=false \
    quietly rust cargo rustc --locked --release --package flux --lib --crate-type staticlib
  cp "$work/target/release/libflux.a" "$library/part"
  mv "$library/part" "$library/libflux.a"
fi

# What cgo asks pkg-config is answered by these lines: no pkg-config and no installed library is needed.
cat >"$work/pkg-config" <<ANSWER
#!/bin/sh
case "\$*" in
  *--cflags*) echo "-I$flux/libflux/include" ;;
  *) echo "-L$library -lflux -ldl -lpthread -lm" ;;
esac
ANSWER
chmod +x "$work/pkg-config"

say "building the server (Go), record in $work/go.log"
cd "$server"
# The tag that would put the web page in is left out; the sqlite ones are the server's own.
PKG_CONFIG=$work/pkg-config CGO_LDFLAGS="-O2 -g -L$library" GOFLAGS=-mod=readonly \
  quietly go go build -trimpath -buildvcs=false -tags sqlite_foreign_keys,sqlite_json \
  -ldflags "-s -w -X main.version=$version -X main.commit=packages" -o "$binary.part" ./cmd/influxd
quietly check "$binary.part" version
mv "$binary.part" "$binary"
is_built || { say 'failed: the binary does not tell its version'; exit 1; }
say 'built'
[ "${GTX_INFLUXD_KEEP_WORK:-0}" = 1 ] || rm -rf "$work"
finish
