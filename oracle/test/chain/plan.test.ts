import { asMeterId, asPublicKeyText, asWh, asWindow, MAX_U64 } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attestedEvent } from '../../src/adapters/chain/events.js';
import { Backlog } from '../../src/domain/settlement/backlog.js';
import { compareWithArchive } from '../../src/domain/settlement/lineage.js';
import {
  type Candidate,
  planMint,
  planWindow,
  type SlottedMeter,
  skipReason,
  totalsOf,
} from '../../src/domain/settlement/plan.js';
import { type MeterPageRead, type PageRead, SlotFlag, type SlotRead } from '../../src/domain/settlement/ports.js';

const open: SlotRead = {
  exportWh: asWh(100n),
  importWh: asWh(100n),
  window: asWindow(10),
  exportCapWh: 50,
  importCapWh: 50,
  flags: SlotFlag.active,
  ...{ attestors: 1, epoch: 1 },
};

function meter(slot: number): SlottedMeter {
  return {
    meterId: asMeterId(slot.toString(16).padStart(32, '0')),
    owner: asPublicKeyText(new Uint8Array(32)),
    key: new Uint8Array(32),
    signer: 'gateway',
    role: 0,
    zone: 1,
    page: 0,
    slot,
    importBaselineWh: asWh(1_000n),
    exportBaselineWh: asWh(2_000n),
    importCarriedWh: asWh(5n),
    exportCarriedWh: asWh(7n),
    exportLimitW: 1,
    importLimitW: 1,
    enrolmentWindow: asWindow(1),
    firstWindow: asWindow(2),
    keyEpoch: 0,
    status: 'active',
    registerStepWh: 1,
  };
}

/** With statements for a first and a last window. */
function candidate(slot: number, first: number | null, wh = 200n, last = first): Candidate {
  const [importWh, exportWh] = [asWh(wh + 995n), asWh(wh + 1_993n)];
  const rest = { payload: new Uint8Array(96), message: new Uint8Array(171), receivedAtMs: 0 };
  const at = (window: number | null) =>
    window === null
      ? undefined
      : { meterId: meter(slot).meterId, window: asWindow(window), importWh, exportWh, ...rest };
  return { meter: meter(slot), oldest: at(first), newest: at(last) };
}

const grace = (window: number) => window * 1_000;
const plan = (slots: SlotRead[], candidates: Candidate[], now = 1e9) => planWindow(slots, candidates, now, grace);

describe('planWindow', () => {
  it('takes the current window first, with the meters that have exactly it, in slot order', () => {
    const got = plan([open, open, open], [candidate(2, 13), candidate(1, 12), candidate(0, 13)]).plan;
    expect(got).toMatchObject({ kind: 'attest', window: 13, isCurrent: true });
    if (got.kind === 'attest') expect(got.entries.map((entry) => entry.slot)).toEqual([0, 2]);
  });

  it('takes late windows when nothing current is due, oldest first', () => {
    const late = [candidate(0, 12, 200n, 14), candidate(1, 13, 200n, 14)];
    expect(plan([open, open], late).plan).toMatchObject({ kind: 'attest', window: 12, isCurrent: false });
  });

  it('never passes over an earlier statement that is at most 7 windows behind', () => {
    const candidates = [candidate(0, 20, 200n, 27), candidate(1, 27)];
    const got = plan([open, open], candidates).plan;
    expect(got).toMatchObject({ kind: 'attest', window: 27 });
    if (got.kind === 'attest') expect(got.entries.map((entry) => entry.slot)).toEqual([1]);
  });

  it('makes one lump of what lies further behind', () => {
    const candidates = [candidate(0, 19, 200n, 27), candidate(1, 27)];
    const got = plan([open, open], candidates).plan;
    expect(got).toMatchObject({ kind: 'attest', window: 27 });
    if (got.kind === 'attest') expect(got.entries.map((entry) => entry.slot)).toEqual([0, 1]);
  });

  it('waits until grace for a meter that may still state a window; late ones go on meanwhile', () => {
    expect(plan([open, open], [candidate(0, 12), candidate(1, null)], 11_999).plan).toEqual({
      kind: 'wait',
      untilMs: 12_000,
    });
    expect(plan([open, open], [candidate(0, 12), candidate(1, null)], 12_000).plan.kind).toBe('attest');
    const withLate = [candidate(0, 12), candidate(1, null), candidate(2, 11, 200n, 12)];
    expect(plan([open, open, open], withLate, 11_999).plan).toMatchObject({ kind: 'attest', window: 11 });
    const done = { ...open, window: asWindow(12) };
    expect(plan([open, done], [candidate(0, 12), candidate(1, null)], 0).plan.kind).toBe('attest');
  });

  it.each([
    ['inactive', 0],
    ['disputed', SlotFlag.active | SlotFlag.disputed],
    ['closed', SlotFlag.active | SlotFlag.closed],
  ])('leaves a slot alone that is %s, and does not wait for it', (_name, flags) => {
    const shut = { ...open, flags };
    expect(plan([shut], [candidate(0, 12)]).plan.kind).toBe('nothing');
    expect(plan([open, shut], [candidate(0, 12), candidate(1, null)], 0).plan.kind).toBe('attest');
  });

  it('names statements that cannot be built, and goes on with the others', () => {
    const low = candidate(1, 12, 99n);
    const below = candidate(2, 12, -900n);
    const early = candidate(3, 1, 200n);
    const [slots, wide] = [[open, open, open, { ...open, window: asWindow(0) }, open], candidate(4, 12)];
    const above = { ...wide, meter: { ...wide.meter, exportCarriedWh: asWh(MAX_U64) } };
    const got = plan(slots, [candidate(0, 12), low, below, early, above]);
    expect(got.unusable.map(({ reason }) => reason)).toEqual([
      "register below the chain's total",
      'register below its baseline',
      'before the first valid window',
      'total above 64 bits',
    ]);
    expect(got.plan).toMatchObject({ kind: 'attest', window: 12 });
  });

  it('total = carried + raw - baseline', () => {
    expect(totalsOf(meter(0), { importWh: 1_100n, exportWh: 2_500n })).toEqual({ importWh: 105n, exportWh: 507n });
  });

  it('never mixes windows, never goes back before the current one, never leaves out what is due (property)', () => {
    const one = fc.option(
      fc.tuple(fc.integer({ min: 11, max: 30 }), fc.integer({ min: 0, max: 12 })).map(([a, more]) => [a, a + more]),
      { nil: null },
    );
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), fc.integer({ min: 0, max: 45_000 }), (ranges, now) => {
        const candidates = ranges.map((range, slot) => candidate(slot, range?.[0] ?? null, 200n, range?.[1] ?? null));
        const got = plan(
          ranges.map(() => open),
          candidates,
          now,
        ).plan;
        const current = Math.max(-1, ...ranges.map((range) => range?.[1] ?? -1));
        const next = ranges.map((range) => range && (current - (range[0] ?? 0) > 7 ? range[1] : range[0]));
        const windows = [...new Set(next.filter((window) => window != null))].sort((a, b) => a - b);
        const mayGo = (window: number) => !ranges.includes(null) || now >= grace(window);
        const order = [...windows.filter((w) => w === current), ...windows.filter((w) => w !== current)].filter(mayGo);
        if (got.kind !== 'attest') {
          expect(order).toEqual([]);
          return;
        }
        expect(got.window).toBe(order[0]);
        const expected = next.flatMap((window, slot) => (window === got.window ? [slot] : []));
        expect(got.entries.map((entry) => entry.slot)).toEqual(expected);
      }),
    );
  });
});

describe('explainSkip says what the program would', () => {
  const at = (change: Partial<SlotRead>, window: number, exportWh: bigint) =>
    skipReason({ ...open, ...change }, asWindow(window), { exportWh, importWh: 100n });
  it.each([
    ['not active', at({ flags: 0 }, 11, 100n)],
    ['closed', at({ flags: SlotFlag.active | SlotFlag.closed }, 11, 100n)],
    ['disputed', at({ flags: SlotFlag.active | SlotFlag.disputed }, 11, 100n)],
    ['window not newer', at({}, 10, 100n)],
    ['above the cap', at({}, 11, 201n)],
    ['moved', at({}, 11, 200n)],
    ['above the cap after an extra window', at({ flags: SlotFlag.active | SlotFlag.extra }, 11, 151n)],
    ['moved', at({ flags: SlotFlag.active | SlotFlag.extra }, 11, 150n)],
    ['above the cap', at({}, 10 + 3_000, 100n + 50n * 2_881n + 1n)],
    ['moved', at({}, 10 + 3_000, 100n + 50n * 2_881n)],
  ])('%s', (expected, got) => expect(got).toBe(expected));
});

describe('compareWithArchive', () => {
  const history = (n: number) => new Uint8Array(32).fill(n);
  const head = { version: 5n, moves: 2, history: history(5) };
  const read = (version: bigint, moves: number, h: number) =>
    ({ version, moves, history: history(h) }) as MeterPageRead;
  it.each([
    ['same', read(5n, 2, 5)],
    ['same', read(5n, 3, 5)],
    ['ahead', read(6n, 2, 9)],
    ['ahead', read(5n, 3, 9)],
    ['rolled back', read(4n, 2, 5)],
    ['rolled back', read(5n, 2, 9)],
    ['rolled back', read(5n, 1, 9)],
  ])('%s', (expected, page) => expect(compareWithArchive(page, head)).toBe(expected));
  it('a dispute folds the history and raises no number: nothing is lost while the page has all that was attested', () => {
    expect(compareWithArchive(read(5n, 2, 9), head, () => true)).toBe('ahead');
    expect(compareWithArchive(read(5n, 1, 9), head, () => true)).toBe('rolled back');
    expect(compareWithArchive(read(4n, 2, 9), head, () => true)).toBe('rolled back');
  });
  it('has nothing to lose on a page it never wrote', () => {
    expect(compareWithArchive(read(9n, 9, 9), undefined)).toBe('ahead');
  });
});

describe('planMint', () => {
  const read = (slots: SlotRead[], ledger: [bigint, 'pool' | 'wallet'][]): PageRead => ({
    chainSlot: 1,
    page: { slots } as unknown as MeterPageRead,
    ledger: { slots: ledger.map(([mintedWh, destination]) => ({ mintedWh: asWh(mintedWh), destination })) },
  });
  it('sees what is owed to the pool and to wallets, and leaves disputed slots alone', () => {
    const disputed = { ...open, flags: SlotFlag.active | SlotFlag.disputed };
    const all = [meter(0), meter(1), meter(2)];
    expect(
      planMint(
        read(
          [open, open, open],
          [
            [100n, 'pool'],
            [100n, 'wallet'],
            [100n, 'pool'],
          ],
        ),
        all,
      ),
    ).toEqual({ pool: [], wallets: [] });
    expect(
      planMint(
        read(
          [open, open, open],
          [
            [99n, 'pool'],
            [0n, 'wallet'],
            [100n, 'pool'],
          ],
        ),
        all,
      ),
    ).toEqual({ pool: [meter(0)], wallets: [meter(1)] });
    expect(
      planMint(
        read(
          [disputed, disputed, open],
          [
            [0n, 'pool'],
            [0n, 'wallet'],
            [100n, 'pool'],
          ],
        ),
        all,
      ),
    ).toEqual({ pool: [], wallets: [] });
  });
});

it('finds no event in other log lines', () => {
  const noise = [
    'Program log: hello',
    'Program data: AAAA',
    `Program data: ${Buffer.alloc(123).toString('base64')}`,
    'Program data: !',
  ];
  expect(attestedEvent(noise)).toBe(null);
});

describe('a backlog', () => {
  it('skips what cannot be attested, once each and with the reason, and plans what comes after it', () => {
    const { meterId } = meter(0);
    const at = (window: number, wh: bigint) => candidate(0, window, wh).oldest;
    const all = [at(11, 0n), at(12, 50n), at(13, 200n)].filter((one) => one !== undefined);
    let skipped = asWindow(0);
    const skips: unknown[] = [];
    const logged: object[] = [];
    const note = (fields: object) => void logged.push(fields);
    const backlog = new Backlog(1, 0, () => [meter(0)], {
      store: {
        skippedThrough: () => skipped,
        skip: (of: string, window: number, reason: string, nowMs: number) => {
          skips.push([of, window, reason, nowMs]);
          skipped = asWindow(window);
        },
        isCatchingUp: () => false,
      } as never,
      statements: {
        attestable: (_: string, after: number, limit: number) =>
          all.filter((one) => one.window > after).slice(0, limit),
        newest: () => all.at(-1),
      } as never,
      ...{ clock: { nowMs: () => 7, monotonicMs: () => 0, after: () => () => {} }, closedAtMs: () => 0, graceMs: 0 },
      ...{ plan: planWindow, logger: { debug: note, info: note, warn: note, error: note } },
    });
    const page = { slots: [open] } as never;
    const reason = "register below the chain's total";
    expect(backlog.plan(page)).toMatchObject({ kind: 'attest', window: 13, entries: [{ slot: 0, exportWh: 200n }] });
    expect(skips).toEqual([11, 12].map((window) => [meterId, window, reason, 7]));
    const event = 'statement_unattestable';
    expect(logged).toEqual([11, 12].map((window) => ({ event, meter: meterId, window, reason })));
    expect(backlog.plan(page, () => false)).toEqual({ kind: 'nothing' });
    expect(skips).toHaveLength(2);
  });
});
