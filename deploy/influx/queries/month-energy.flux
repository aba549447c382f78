// Energy of each meter in the last full month (Thai time), Wh: the sum of its days, each of them last - first.
import "date"
import "timezone"

option location = timezone.fixed(offset: 7h)

stop = date.truncate(t: now(), unit: 1mo)

from(bucket: "gtx-day")
    |> range(start: date.sub(d: 1mo, from: stop), stop: stop)
    |> filter(fn: (r) => r._measurement == "day")
    |> filter(fn: (r) => r._field == "import_delta_wh" or r._field == "export_delta_wh")
    |> group(columns: ["zone", "meter", "role", "source", "_field"])
    |> sum()
    |> keep(columns: ["zone", "meter", "role", "source", "_field", "_value"])
