// Raw readings to quarter-hours, soon: the last two hours every 15 minutes. Running it again changes nothing.
import "date"

option task = {name: "gtx-quarter-hours", every: 15m, offset: 2m}

reach = 2h

raw = "gtx-raw"
target = "gtx-15m"
stop = date.truncate(t: now(), unit: 15m)
start = date.sub(d: reach, from: stop)
counters = (r) => r._field == "import_wh" or r._field == "export_wh"

readings =
    from(bucket: raw)
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "reading" and counters(r: r))

// The register at each interval's end. An interval is named by its start.
registers =
    readings
        |> aggregateWindow(every: 15m, fn: last, createEmpty: false, timeSrc: "_start")
        |> drop(columns: ["_start", "_stop"])
        |> set(key: "_measurement", value: "interval")

// What the counters stood at before the first of these intervals: the end of the interval before, however long ago, or
// for a meter that was never seen before its first reading.
before =
    union(
        tables: [
            from(bucket: target)
                |> range(start: date.sub(d: 1095d, from: start), stop: start)
                |> filter(fn: (r) => r._measurement == "interval" and counters(r: r))
                |> last()
                |> drop(columns: ["_start", "_stop"]),
            readings
                |> first()
                |> drop(columns: ["_start", "_stop"])
                |> set(key: "_measurement", value: "interval"),
        ],
    )
        |> sort(columns: ["_time"])
        |> first()
        |> map(fn: (r) => ({r with _time: date.sub(d: 1ns, from: start)}))

registers |> to(bucket: target)

// Last - first: energy that passed while nothing was read belongs to the interval of the next reading.
union(tables: [before, registers])
    |> sort(columns: ["_time"])
    |> difference()
    |> map(fn: (r) => ({r with _field: if r._field == "import_wh" then "import_delta_wh" else "export_delta_wh"}))
    |> to(bucket: target)

from(bucket: raw)
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == "reading" and r._field == "sig_ok")
    |> aggregateWindow(every: 15m, fn: count, createEmpty: false, timeSrc: "_start")
    |> drop(columns: ["_start", "_stop"])
    |> set(key: "_measurement", value: "interval")
    |> set(key: "_field", value: "readings")
    |> to(bucket: target)
