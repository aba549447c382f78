// Energy of each zone by quarter-hours of the last full day (Thai time), Wh imported and exported.
import "date"
import "timezone"

option location = timezone.fixed(offset: 7h)

stop = date.truncate(t: now(), unit: 1d)

// aggregateWindow, never group by _time: on a month of data that brings the server down.
from(bucket: "gtx-15m")
    |> range(start: date.sub(d: 1d, from: stop), stop: stop)
    |> filter(fn: (r) => r._measurement == "interval")
    |> filter(fn: (r) => r._field == "import_delta_wh" or r._field == "export_delta_wh")
    |> filter(fn: (r) => r.role == "point")
    |> group(columns: ["zone", "_field"])
    |> aggregateWindow(every: 15m, fn: sum, createEmpty: false, timeSrc: "_start")
    |> keep(columns: ["_time", "zone", "_field", "_value"])
