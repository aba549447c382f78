import { isDisputed, keyOf, largest, named, num, slotsOf, small, smallest, str } from './fields.js';
import { addresses, type Decoded, derive, type Fields, type Snapshot } from './read.js';

const NO_SLOT = 0xffffn;
const NO_METER = '0'.repeat(32);
const [ACTIVE, CLOSED, PENDING] = [1n, 3n, 5n];
const SLOT_ACTIVE = 1n;

/** Returns the Wh of a window at full power and a tenth: ⌈W · 0.25 h · 1.1⌉. */
const windowWh = (watts: bigint): bigint => (watts * 11n + 39n) / 40n;

/**
 * Returns the W that a meter reserves of its zone's capacity: its limit, and its register's step added to the cap of
 * each window.
 */
const reservedW = (record: Fields): bigint =>
  num(record, 'export_limit_w') + (num(record, 'register_step_wh') * 40n + 10n) / 11n;

/** A connection point's energy: its slot, the record that holds it, and the earlier records. */
interface Holder {
  readonly place: string;
  readonly slot: Fields;
  readonly record: Fields;
  /** The first record of the slot; its energy counts from this record's enrolment. */
  readonly first: Fields;
  /** Wh per window: the highest cap that any of the records had. */
  readonly exportCap: bigint;
  readonly importCap: bigint;
}

/**
 * Compares metered and minted energy with its maximum: each slot with its enrolment and its cap in the windows since,
 * each zone with its capacity. Only a quorum of attestors, or a meter's own key, can put energy on chain. This check
 * finds where they exceed the capacity of the lines, and energy from any other source.
 */
export function auditEnergy(chain: Snapshot): string[] {
  const findings: string[] = [];
  const expect = (holds: boolean, text: string) => {
    if (!holds) findings.push(text);
  };
  const { registry, oracle, energyToken } = chain.accounts;
  const meters = named(registry, 'Meter').map(({ value }) => value);
  for (const record of meters) checkRecord(record, expect);
  const pages = new Map(named(oracle, 'MeterPage').map((page) => [keyOf(page.value), page]));
  const holders = findHolders(meters, pages);
  for (const holder of holders) checkHolder(holder, expect);
  for (const zone of named(registry, 'Zone')) {
    const number = num(zone.value, 'zone');
    const inZone = (list: readonly Decoded[]) => list.filter(({ value }) => num(value, 'zone') === number);
    checkCapacity(zone.value, meters, expect);
    const budgets = inZone(named(energyToken, 'Budget'));
    const ledgers = inZone(named(energyToken, 'LedgerPage'));
    const ofZone = holders.filter(({ record }) => num(record, 'zone') === number);
    checkBudget(zone.value, budgets, ledgers, inZone([...pages.values()]), ofZone, expect);
  }
  return findings;
}

type Expect = (holds: boolean, text: string) => void;

/** A pending record has no energy; a record that was never restarted carries none. */
function checkRecord(record: Fields, expect: Expect): void {
  const id = str(record, 'meter_id');
  const carried = num(record, 'carried_export_wh') + num(record, 'carried_import_wh');
  const isFirst = num(record, 'baseline_window') === 0n;
  expect(!isFirst || carried === 0n, `meter ${id} carries ${carried} Wh that no slot has had`);
  if (num(record, 'status') !== PENDING) return;
  const has = num(record, 'slot') !== NO_SLOT || num(record, 'export_limit_w') > 0n;
  expect(!has, `meter ${id} was never confirmed, and has a slot or a limit`);
}

function findHolders(meters: readonly Fields[], pages: ReadonlyMap<string, Decoded>): Holder[] {
  const byId = new Map(meters.map((record) => [`${num(record, 'zone')}/${str(record, 'meter_id')}`, record]));
  return meters.flatMap((record) => {
    const page = pages.get(keyOf(record));
    const slot = page && num(record, 'slot') !== NO_SLOT ? slotsOf(page)[small(record, 'slot')] : undefined;
    if (!slot) return [];
    const line = [record];
    for (let last = record; str(last, 'predecessor') !== NO_METER && line.length <= meters.length; ) {
      const before = byId.get(`${num(last, 'zone')}/${str(last, 'predecessor')}`);
      if (!before) break;
      line.push(before);
      last = before;
    }
    const cap = (limit: string) =>
      largest(
        line.map((one) => windowWh(num(one, limit)) + num(one, 'register_step_wh')),
        0n,
      );
    return {
      place: `${keyOf(record)}/${num(record, 'slot')}`,
      slot,
      record,
      first: line.at(-1) ?? record,
      exportCap: cap('export_limit_w'),
      importCap: cap('import_limit_w'),
    };
  });
}

/**
 * A slot holds at most its cap in each window since the enrolment, and one window's cap of jitter at the boundaries.
 */
function checkHolder({ place, slot, record, first, exportCap, importCap }: Holder, expect: Expect): void {
  const enrolled = num(first, 'enrolment_window');
  const window = num(slot, 'window');
  const windows = window > enrolled ? window - enrolled : 0n;
  for (const [register, cap] of [
    ['export_wh', exportCap],
    ['import_wh', importCap],
  ] as const) {
    const total = num(slot, register);
    const most = windows === 0n ? 0n : cap * (windows + 1n);
    expect(
      total <= most,
      `slot ${place}: ${register} is ${total}, ${windows} windows since its enrolment allow ${most}`,
    );
    const carried = num(record, `carried_${register}`);
    expect(carried <= total, `slot ${place}: its record carries ${carried} Wh of ${register}, the slot has ${total}`);
  }
  if ((num(slot, 'flags') & SLOT_ACTIVE) === 0n || isDisputed(slot) || num(record, 'status') !== ACTIVE) return;
  const own = windowWh(num(record, 'export_limit_w')) + num(record, 'register_step_wh');
  expect(
    num(slot, 'export_cap_wh') <= own,
    `slot ${place} has a cap of ${num(slot, 'export_cap_wh')} Wh, its limit gives ${own}`,
  );
}

function checkCapacity(zone: Fields, meters: readonly Fields[], expect: Expect): void {
  const number = num(zone, 'zone');
  const sum = meters
    .filter((record) => num(record, 'zone') === number && num(record, 'slot') !== NO_SLOT)
    .filter((record) => num(record, 'status') !== CLOSED)
    .reduce((total, record) => total + reservedW(record), 0n);
  const [confirmed, capacity] = [num(zone, 'confirmed_export_w'), num(zone, 'capacity_w')];
  expect(confirmed === sum, `zone ${number} counts ${confirmed} W of confirmed export, its meters have ${sum} W`);
  expect(sum <= capacity, `zone ${number}: its meters may export ${sum} W together, its capacity is ${capacity} W`);
}

function checkBudget(
  zone: Fields,
  budgets: readonly Decoded[],
  ledgers: readonly Decoded[],
  pages: readonly Decoded[],
  holders: readonly Holder[],
  expect: Expect,
): void {
  const number = num(zone, 'zone');
  const minted = ledgers.flatMap(slotsOf).reduce((sum, slot) => sum + num(slot, 'minted_wh'), 0n);
  const [budget, second] = budgets;
  expect(second === undefined, `zone ${number} has more than one budget`);
  expect(budget !== undefined || minted === 0n, `zone ${number} has minted ${minted} Wh without a budget`);
  if (!budget) return;
  const at = derive(addresses.energyToken, 'budget', [Number(number), 2]);
  expect(budget.address === at, `the budget of zone ${number} is at another address than its number gives`);
  const spent = num(budget.value, 'minted_wh');
  expect(spent === minted, `the budget of zone ${number} counts ${spent} Wh, its slots have minted ${minted} Wh`);
  if (minted === 0n) return;
  const [from, newest] = [num(budget.value, 'from_window'), num(budget.value, 'newest_window')];
  const most = newest > from ? windowWh(num(zone, 'capacity_w')) * (newest - from) : 0n;
  expect(minted <= most, `zone ${number} has minted ${minted} Wh, its capacity allows ${most} Wh`);
  const highest = largest(
    pages.map(({ value }) => num(value, 'highest_window')),
    0n,
  );
  expect(newest <= highest, `the budget of zone ${number} goes to window ${newest}, its pages to ${highest}`);
  const enrolled = holders.map(({ first }) => num(first, 'enrolment_window'));
  const earliest = smallest(enrolled, newest);
  expect(from >= earliest, `the budget of zone ${number} begins in window ${from}, its first meter in ${earliest}`);
}
