type Json = Readonly<Record<string, unknown>>;
type Row = readonly [label: string, value: unknown];

/** Keys that hold an instant, ms since 1970; other keys that end in `_ms` hold a duration. */
const MOMENTS = ['now_ms', 'time_ms', 'since_ms'];

const html = (value: unknown) =>
  String(value ?? '–').replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

function table(rows: readonly Row[]): string {
  return `<table>${rows.map(([name, value]) => `<tr><th>${html(name)}<td>${html(value)}`).join('')}</table>`;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Formats an instant to the second, UTC. */
const momentText = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

function flat(value: Json, prefix = ''): Row[] {
  return Object.entries(value).flatMap(([key, entry]): Row[] => {
    const isMoment = MOMENTS.includes(key) && typeof entry === 'number';
    const label = `${prefix}${(isMoment ? key.replace(/_ms$/, '') : key).replaceAll('_', ' ')}`;
    if (isMoment) return [[label, momentText(entry)]];
    if (Array.isArray(entry)) return listed(entry, label);
    return isObject(entry) ? flat(entry, `${label} · `) : [[label, entry]];
  });
}

/** Labels the entries of a list by their names, or by their positions. */
function listed(list: readonly unknown[], label: string): Row[] {
  const texts = list.filter((entry) => !isObject(entry));
  const rows = list.filter(isObject).flatMap((entry, i) => {
    const { name, unit, ...rest } = entry;
    return flat(rest, `${label} · ${name ?? unit ?? i + 1} · `);
  });
  return texts.length > 0 || list.length === 0 ? [[label, texts.join('; ') || 'none'], ...rows] : rows;
}

/** Renders the gateway's status for the installer's phone, with a section for each meter. */
export function statusPage(status: Json): string {
  const { meters, conditions, ...rest } = status;
  const list = Array.isArray(meters) ? meters.filter(isObject) : [];
  const wrong = Array.isArray(conditions) ? conditions.filter(isObject).filter(({ problem }) => problem !== null) : [];
  const sections = list.map((meter) => `<h2>${html(meter.name)}</h2>${table(flat(meter))}`);
  const head = flat({ ...rest, ...(wrong.length > 0 ? { conditions: wrong } : {}) });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>${html(status.name)}</title>
<style>body{font:16px system-ui;margin:1rem;max-width:60rem}th{text-align:left;padding-right:1rem;vertical-align:top}td{font-family:monospace;word-break:break-all}</style>
<h1>Gateway ${html(status.name)}</h1>${table(head)}${sections.join('')}</html>
`;
}
