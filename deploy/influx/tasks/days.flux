// Quarter-hours to days of Thai time, for ten years: what each counter stood at in the evening, its difference to the
// evening before, and the number of readings. Nine days again every day, after quarter-hours-late.flux.
import "date"
import "timezone"

option task = {name: "gtx-days", every: 1d, offset: 2h}
option location = timezone.fixed(offset: 7h)

target = "gtx-day"
stop = date.truncate(t: now(), unit: 1d)
start = date.sub(d: 9d, from: stop)

intervals = from(bucket: "gtx-15m") |> range(start: start, stop: stop) |> filter(fn: (r) => r._measurement == "interval")
isCounter = (r) => r._field == "import_wh" or r._field == "export_wh"

intervals
    |> filter(fn: isCounter)
    |> aggregateWindow(every: 1d, fn: last, createEmpty: false, timeSrc: "_start")
    |> drop(columns: ["_start", "_stop"])
    |> set(key: "_measurement", value: "day")
    |> to(bucket: target)

intervals
    |> filter(fn: (r) => not isCounter(r: r))
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false, timeSrc: "_start")
    |> drop(columns: ["_start", "_stop"])
    |> set(key: "_measurement", value: "day")
    |> to(bucket: target)
