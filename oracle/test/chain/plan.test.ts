import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attestedEvent } from '../../src/adapters/chain/events.js';
import { compareWithArchive } from '../../src/domain/settlement/lineage.js';
import {
  type Candidate,
  explainSkip,
  MOVED,
  planMint,
  planWindow,
  type SlottedMeter,
  totalsOf,
} from '../../src/domain/settlement/plan.js';
import { type MeterPageRead, type PageRead, SlotFlag, type SlotRead } from '../../src/domain/settlement/ports.js';

const open: SlotRead = {
  exportWh: 100n,
  importWh: 100n,
  window: 10,
  exportCapWh: 50,
  importCapWh: 50,
  flags: SlotFlag.active,
  attestors: 1,
  epoch: 1,
};

function meter(slot: number): SlottedMeter {
  return {
    meterId: slot.toString(16).padStart(32, '0'),
    owner: 'o',
    key: new Uint8Array(32),
    signer: 'gateway',
    role: 0,
    zone: 1,
    page: 0,
    slot,
    importBaselineWh: 1_000n,
    exportBaselineWh: 2_000n,
    importCarriedWh: 5n,
    exportCarriedWh: 7n,
    exportLimitW: 1,
    importLimitW: 1,
    enrolmentWindow: 1,
    firstWindow: 2,
    keyEpoch: 0,
    status: 'active',
    registerStepWh: 1,
  };
}

function candidate(slot: number, window: number | null, wh = 200n): Candidate {
  const [importWh, exportWh] = [wh + 995n, wh + 1_993n];
  const rest = { payload: new Uint8Array(96), message: new Uint8Array(171), receivedMs: 0 };
  const next = window === null ? undefined : { meterId: meter(slot).meterId, window, importWh, exportWh, ...rest };
  return { meter: meter(slot), next };
}

const grace = (window: number) => window * 1_000;
const plan = (slots: SlotRead[], candidates: Candidate[], now = 1e9) => planWindow(slots, candidates, now, grace);

describe('planWindow', () => {
  it('takes the oldest window, with the meters that have exactly it, in slot order', () => {
    const got = plan([open, open, open], [candidate(2, 12), candidate(1, 13), candidate(0, 12)]).plan;
    expect(got).toMatchObject({ kind: 'attest', window: 12 });
    if (got.kind === 'attest') expect(got.entries.map((entry) => entry.slot)).toEqual([0, 2]);
  });

  it('waits until grace for a meter without a statement, not for one that has gone on', () => {
    expect(plan([open, open], [candidate(0, 12), candidate(1, null)], 11_999).plan).toEqual({
      kind: 'wait',
      untilMs: 12_000,
    });
    expect(plan([open, open], [candidate(0, 12), candidate(1, null)], 12_000).plan.kind).toBe('attest');
    expect(plan([open, open], [candidate(0, 12), candidate(1, 13)], 0).plan).toMatchObject({
      kind: 'attest',
      window: 12,
    });
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
    const below = candidate(2, 12, -1_000n);
    const early = candidate(3, 1, 200n);
    const got = plan([open, open, open, { ...open, window: 0 }], [candidate(0, 12), low, below, early]);
    expect(got.unusable.map(({ reason }) => reason)).toEqual([
      "register below the chain's total",
      'register below its baseline',
      'before the first valid window',
    ]);
    expect(got.plan).toMatchObject({ kind: 'attest', window: 12 });
  });

  it('total = carried + raw - baseline', () => {
    expect(totalsOf(meter(0), { importWh: 1_100n, exportWh: 2_500n })).toEqual({ importWh: 105n, exportWh: 507n });
  });

  it('never mixes windows, never takes a slot twice, never takes a window that is not the oldest (property)', () => {
    const one = fc.option(fc.integer({ min: 11, max: 14 }), { nil: null });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), fc.integer({ min: 0, max: 15_000 }), (windows, now) => {
        const got = plan(
          windows.map(() => open),
          windows.map((window, slot) => candidate(slot, window)),
          now,
        ).plan;
        const known = windows.filter((window) => window !== null);
        if (got.kind !== 'attest') {
          const mayWait = known.length === 0 || (windows.includes(null) && now < grace(Math.min(...known)));
          expect(mayWait).toBe(true);
          return;
        }
        expect(got.window).toBe(Math.min(...known));
        const expected = windows.flatMap((window, slot) => (window === got.window ? [slot] : []));
        expect(got.entries.map((entry) => entry.slot)).toEqual(expected);
      }),
    );
  });
});

describe('explainSkip says what the program would', () => {
  const at = (change: Partial<SlotRead>, window: number, exportWh: bigint) =>
    explainSkip({ ...open, ...change }, window, { exportWh, importWh: 100n });
  it.each([
    ['slot not active', at({ flags: 0 }, 11, 100n)],
    ['slot closed', at({ flags: SlotFlag.active | SlotFlag.closed }, 11, 100n)],
    ['slot disputed', at({ flags: SlotFlag.active | SlotFlag.disputed }, 11, 100n)],
    ['window not newer', at({}, 10, 100n)],
    ['above the cap', at({}, 11, 201n)],
    [MOVED, at({}, 11, 200n)],
    ['above the cap after an extra window', at({ flags: SlotFlag.active | SlotFlag.extra }, 11, 151n)],
    [MOVED, at({ flags: SlotFlag.active | SlotFlag.extra }, 11, 150n)],
    ['above the cap', at({}, 10 + 3_000, 100n + 50n * 2_881n + 1n)],
    [MOVED, at({}, 10 + 3_000, 100n + 50n * 2_881n)],
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
    contextSlot: 1,
    page: { slots } as unknown as MeterPageRead,
    ledger: { slots: ledger.map(([mintedWh, destination]) => ({ mintedWh, destination })) },
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
    ).toEqual({ pool: false, wallets: [] });
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
    ).toEqual({ pool: true, wallets: [meter(1)] });
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
    ).toEqual({ pool: false, wallets: [] });
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
