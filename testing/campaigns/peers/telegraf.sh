#!/bin/sh
# Builds Telegraf with its Modbus input, and its file and MQTT outputs, for the campaign and the bench that compare the
# gateway with it. Needs Go.
#
#   telegraf.sh [PREFIX]
#
# PREFIX defaults to $GTX_PEERS_PREFIX, or ~/.cache/gridtokenx/peers. The last line of stdout is the path of the program.
# An existing program is only named. The script writes nothing outside PREFIX but Go's own caches.
set -eu
version=v1.37.2
prefix=${1:-${GTX_PEERS_PREFIX:-$HOME/.cache/gridtokenx/peers}}
folder=$prefix/telegraf-$version-mqtt
program=$folder/telegraf
mkdir -p "$prefix"
# The second of two callers waits, and then finds the first caller's result.
exec 9>"$prefix/lock"
flock 9
if [ ! -x "$program" ]; then
  command -v go >/dev/null || { echo 'Go is not there: install Go 1.25 or newer' >&2; exit 3; }
  # Ends with 1 where the module proxy cannot be reached.
  GOBIN=$folder GOFLAGS=-mod=mod go install -p 2 \
    -tags custom,inputs.modbus,outputs.file,outputs.mqtt,serializers.json \
    "github.com/influxdata/telegraf/cmd/telegraf@$version" >&2
fi
echo "$program"
