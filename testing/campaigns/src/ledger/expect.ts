import { nameOfVerdict } from './bench.js';
import type { Summary } from './summary.js';
import type { World } from './world.js';

/** Number of a seed's differences that are reported; the rest is only counted. */
const TOLD = 4;

const LONGEST = 160;

/** Returns the differences between two maps, in words. */
export function differences(
  what: string,
  expected: ReadonlyMap<string, unknown>,
  found: ReadonlyMap<string, unknown>,
): string[] {
  const wrong: string[] = [];
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    const [a, b] = [expected.get(name), found.get(name)];
    if (a === b) continue;
    const from = typeof a === 'string' && typeof b === 'string' ? firstDifference(a, b) : 0;
    wrong.push(`${what} of ${name}: ${say(a, from)} expected, ${say(b, from)} found`);
  }
  return wrong.length > TOLD ? [...wrong.slice(0, TOLD), `${what}: ${wrong.length - TOLD} more differences`] : wrong;
}

/** Returns the index a little before the point where two texts diverge. */
function firstDifference(a: string, b: string): number {
  let index = 0;
  while (index < a.length && a[index] === b[index]) index++;
  return Math.max(0, index - 40);
}

function say(value: unknown, from = 0): string {
  if (value === undefined) return 'nothing';
  if (typeof value !== 'number') return `${from > 0 ? '...' : ''}${String(value).slice(from, from + LONGEST)}`;
  return value >= 1_000 ? `${nameOfVerdict(value - 1_000)} (open)` : nameOfVerdict(value);
}

/** Returns the differences between two ledgers. */
export function compare(expected: Summary, found: Summary): string[] {
  return [
    ...differences('verdict', expected.verdicts, found.verdicts),
    ...differences('watermark', expected.marks, found.marks),
    ...differences('attestable statements', expected.attestable, found.attestable),
    ...differences('counts', expected.counts, found.counts),
    ...differences('ack', expected.told, found.told),
  ];
}

/**
 * Returns where a ledger contradicts the world: a hostile message with an impossible verdict, a refused honest message,
 * an honest meter without its whole energy. Two ledgers with the same error would pass a comparison.
 */
export function judgeSummary(world: World, { verdicts, marks, attestable }: Summary): string[] {
  const faults: string[] = [];
  for (const item of world.items) {
    if (!item.allowed) continue;
    const owner = item.stream ?? Buffer.from(world.gateways[item.gateway] ?? []).toString('hex');
    const verdict = verdicts.get(`${owner} ${item.name}`);
    if (verdict !== undefined && item.allowed.includes(verdict % 1_000)) continue;
    faults.push(`${item.kind} (${owner} ${item.name}): ${say(verdict)}`);
  }
  for (const { meter, stream, lastSeq } of world.truths) {
    const mark = marks.get(stream) ?? 'nothing';
    if (!mark.startsWith(`stored ${lastSeq}, seen ${lastSeq}, `) || !mark.endsWith('suspended no'))
      faults.push(`honest meter ${meter}: ${mark}, and it said ${lastSeq} messages`);
  }
  for (const [meterId, expected] of honestTotals(world)) {
    const found = attestable.get(meterId) ?? 'nothing';
    if (found.split(' newest ')[0]?.replace(/:[0-9a-f]{32}/g, '') !== expected)
      faults.push(`honest meter ${meterId}: ${found} may be attested instead of ${expected}`);
  }
  return faults.length > TOLD ? [...faults.slice(0, TOLD), `${faults.length - TOLD} more of the kind`] : faults;
}

/** Returns the attestable registers of each honest meter by window: the registers that the meter itself had. */
function honestTotals(world: World): Map<string, string> {
  const totals = new Map<string, string[]>();
  for (const { meter, windows } of world.truths) {
    const meterId = world.meters[meter]?.record.meterId ?? '';
    const found = totals.get(meterId) ?? [];
    totals.set(meterId, found);
    for (const { window, importWh, exportWh } of windows) found.push(`${window}:${importWh}:${exportWh}`);
  }
  return new Map([...totals].map(([meterId, parts]) => [meterId, parts.join(' ')]));
}
