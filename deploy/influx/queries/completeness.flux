// How much of the last full day (Thai time) each meter was read: `_value` of its 96 quarter-hours have a reading.
import "date"
import "timezone"

option location = timezone.fixed(offset: 7h)

stop = date.truncate(t: now(), unit: 1d)

from(bucket: "gtx-15m")
    |> range(start: date.sub(d: 1d, from: stop), stop: stop)
    |> filter(fn: (r) => r._measurement == "interval" and r._field == "readings")
    |> group(columns: ["zone", "meter", "role"])
    |> count()
    |> keep(columns: ["zone", "meter", "role", "_value"])
