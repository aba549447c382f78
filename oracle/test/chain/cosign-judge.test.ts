import { buildAttestPage } from '@gridtokenx/chain-client';
import { asMeterId, asPublicKeyText, asWh, asWindow } from '@gridtokenx/protocol';
import { BASELINE, keyOf } from '@gridtokenx/testing-kit/oracle/deployment';
import { TestStatements } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { ComputeBudgetProgram, type TransactionInstruction, TransactionMessage } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { difference, fitsInto, readProposal } from '../../src/adapters/chain/cosign/message.js';
import { attestableOf, type Judged, judgeSlots, netRises } from '../../src/domain/settlement/cosigning/judge.js';
import type { MoveState } from '../../src/domain/settlement/moved.js';
import type { SlottedMeter } from '../../src/domain/settlement/plan.js';
import { type AttestEntry, type MeterPageRead, SlotFlag, type SlotRead } from '../../src/domain/settlement/ports.js';

const open: SlotRead = {
  ...{ exportWh: asWh(100n), importWh: asWh(100n), window: asWindow(10), exportCapWh: 50, importCapWh: 50 },
  ...{ flags: SlotFlag.active, attestors: 1, epoch: 0 },
};

/** Its limits of 40 W each way are caps of 12 Wh a window. */
const meter = (slot: number): SlottedMeter => ({
  ...{ meterId: asMeterId(slot.toString(16).padStart(32, '0')), owner: asPublicKeyText(new Uint8Array(32)) },
  ...{ key: new Uint8Array(32), signer: 'gateway', role: 0, zone: 1, page: 0, slot, keyEpoch: 0, status: 'active' },
  ...{ importBaselineWh: BASELINE.importWh, exportBaselineWh: BASELINE.exportWh, importCarriedWh: asWh(0n) },
  ...{ exportCarriedWh: asWh(0n), exportLimitW: 40, importLimitW: 40, registerStepWh: 1 },
  ...{ enrolmentWindow: asWindow(1), firstWindow: asWindow(2) },
});

const pageOf = (...slots: SlotRead[]): MeterPageRead => ({
  ...{ version: 3n, moves: 0, highestWindow: asWindow(10), lastRoot: new Uint8Array(32), history: new Uint8Array(32) },
  ...{ page: 0, zone: 1, bump: 0, format: 1, slots },
});

let statements: TestStatements;
beforeEach(() => {
  statements = new TestStatements();
});
const put = (slot: number, window: number, exportWh = 110n, importWh = 120n) =>
  statements.put(meter(slot), window, exportWh, importWh);

function judge(window: number, slots: number[], more: Partial<Judged> = {}) {
  const read = more.read ?? pageOf(...Array.from({ length: 4 }, () => open));
  const meters = [3, 2, 1, 0].map(meter);
  return judgeSlots({ read, meters, statements, window: asWindow(window), slots, fits: () => true, ...more });
}
/** The slots that would be signed, or why not. */
function told(...given: Parameters<typeof judge>): string {
  const judged = judge(...given);
  if ('entries' in judged) return judged.entries.map(({ slot }) => slot).join();
  const { code, detail, statements: shown } = judged.refused;
  return `${code}: ${detail}${shown ? `; ${shown.length} shown` : ''}`;
}
const withSlot = (at: number, change: Partial<SlotRead>) =>
  pageOf(...[0, 1, 2, 3].map((slot) => (slot === at ? { ...open, ...change } : open)));

describe('slots of a proposal', () => {
  it('have the totals of the statement for its window, the slot as it was read, and the signed bytes', () => {
    put(0, 11);
    put(1, 11, 150n, 200n);
    const entries = [
      { exportWh: 110n, importWh: 120n },
      { exportWh: 150n, importWh: 200n },
    ].map((totals, slot) => {
      const { meterId } = meter(slot);
      return { meterId, slot, ...totals, before: open, payload: statements.newest(meterId)?.payload };
    });
    expect(judge(11, [0, 1])).toEqual({ entries });
  });

  it('are refused without a meter, a slot or a statement', () => {
    put(0, 11);
    const refusal = (slot: number) => `no statement: slot ${slot}, window 11: no statement that may be attested`;
    expect(told(11, [0, 2])).toBe(refusal(2));
    expect(told(11, [9])).toBe(refusal(9));
    expect(told(11, [0], { read: pageOf() })).toBe(refusal(0));
  });

  it('are refused where the slot is not open, or the register lies below it', () => {
    put(0, 11);
    for (const flags of [
      0,
      SlotFlag.suspended,
      SlotFlag.active | SlotFlag.disputed,
      SlotFlag.active | SlotFlag.closed,
    ]) {
      const read = withSlot(0, { flags });
      expect(told(11, [0], { read })).toBe('no statement: slot 0, window 11: slot not open');
    }
    const below = "no statement: slot 0, window 11: register below the chain's total";
    expect(told(11, [0], { read: withSlot(0, { exportWh: asWh(110n) }) })).toBe('0');
    expect(told(11, [0], { read: withSlot(0, { exportWh: asWh(111n) }) })).toBe(below);
    expect(told(11, [0], { read: withSlot(0, { importWh: asWh(121n) }) })).toBe(below);
  });

  it('that moved under a registry that is not read again are for later; one that explains it may be signed', () => {
    put(0, 11);
    const standing = (state: MoveState) => ({ standing: () => state });
    const refusal = 'page differs: slot 0 moved, and the registry was read before that here: not yet';
    expect(told(11, [0], standing('unexplained'))).toBe(refusal);
    expect([told(11, [0], standing('explained')), told(11, [0], standing('known'))]).toEqual(['0', '0']);
  });

  it('with an earlier statement are refused for it, unless it is seven windows or more too late for that', () => {
    for (const window of [11, 12, 18, 19]) put(0, window);
    const refusal = (window: number) =>
      `left out: slot 0: the statement for window 11 comes before that for ${window}; 1 shown`;
    expect(told(19, [0])).toBe('0');
    const read = withSlot(0, { flags: 0 });
    expect(told(19, [0], { read })).toBe('no statement: slot 0, window 19: slot not open');
    statements = new TestStatements();
    for (const window of [11, 12, 18]) put(0, window);
    expect([told(18, [0]), told(12, [0])]).toEqual([refusal(18), refusal(12)]);
    expect(told(12, [0], { isCatchingUp: true })).toBe('0');
    // A neighbour that is further makes it a lump, where its slot is open.
    put(1, 18);
    expect(told(12, [0])).toBe(refusal(12));
    put(1, 19);
    expect(told(12, [0])).toBe('0');
    expect(told(12, [0], { read: withSlot(1, { flags: SlotFlag.suspended }) })).toBe(refusal(12));
  });

  it('may pass an earlier statement that the chain does not take', () => {
    put(0, 11, 201n);
    put(0, 12);
    expect(told(12, [0])).toBe('0');
    put(1, 11, 200n);
    put(1, 12, 200n);
    expect(told(12, [0, 1])).toBe('left out: slot 1: the statement for window 11 comes before that for 12; 1 shown');
    put(2, 11, 99n);
    put(2, 12);
    expect(told(12, [0, 2], { read: withSlot(1, { flags: 0 }) })).toBe('0,2');
  });
});

describe('slots that a proposal passes over', () => {
  const missed = (count: number) => `left out: ${count} statements for window 11 are passed over; ${count} shown`;
  beforeEach(() => {
    for (const slot of [0, 1, 2]) put(slot, 11);
  });

  it('are named with their statements', () => {
    expect(told(11, [0, 1, 2])).toBe('0,1,2');
    expect([told(11, [1]), told(11, [0, 2])]).toEqual([missed(2), missed(1)]);
    expect(told(11, [])).toBe(missed(3));
  });

  it.each([
    ['is closed to attestations', { flags: SlotFlag.suspended }],
    ['has the window', { window: asWindow(11) }],
    ['lies above the register', { importWh: asWh(121n) }],
    ['rises more than its cap', { exportWh: asWh(0n) }],
  ] as [string, Partial<SlotRead>][])('rightly where the slot %s', (_, change) => {
    expect(told(11, [0, 2], { read: withSlot(1, change) })).toBe('0,2');
  });

  it('rightly where the slot moved of late, a later statement is there, or an earlier one is due', () => {
    const standing = (state: MoveState) => ({ standing: (slot: number) => (slot === 1 ? state : 'known') });
    expect(told(11, [0, 2], standing('known'))).toBe(missed(1));
    for (const state of ['explained', 'unexplained'] as const) expect(told(11, [0, 2], standing(state))).toBe('0,2');
    put(1, 12);
    expect(told(11, [0, 2])).toBe('0,2');
    expect(told(12, [1])).toBe('left out: slot 1: the statement for window 11 comes before that for 12; 1 shown');
    put(3, 12);
    expect(told(12, [3])).toBe('3');
  });

  it('rightly from the first on that fits no more above the highest, not below it', () => {
    put(3, 11);
    const fits = (...slots: number[]) => ({ fits: (slot: number) => slots.includes(slot) });
    expect(told(11, [0, 1], fits(3))).toBe('0,1');
    expect(told(11, [0, 1], fits(2))).toBe(missed(1));
    expect(told(11, [0, 1], fits(2, 3))).toBe(missed(2));
    expect(told(11, [0, 3], fits())).toBe(missed(2));
  });
});

describe('the net rise of a zone', () => {
  const entry = (exportWh: bigint, importWh: bigint, before: Partial<SlotRead> = {}): AttestEntry => ({
    ...{ meterId: meter(0).meterId, slot: 0, exportWh: asWh(exportWh), importWh: asWh(importWh) },
    before: { ...open, ...before },
    payload: new Uint8Array(96),
  });
  const rise = (of: AttestEntry, window = 11) => netRises([of], [], statements, asWindow(window));

  it('is export less import since the slot, each at most its cap in each window', () => {
    expect(rise(entry(130n, 107n))).toEqual([{ netWh: 23n, windows: 1 }]);
    expect(rise(entry(107n, 130n))).toEqual([{ netWh: -23n, windows: 1 }]);
    expect(rise(entry(150n, 100n))).toEqual([{ netWh: 50n, windows: 1 }]);
    expect(rise(entry(151n, 100n))).toEqual([{ netWh: 50n, windows: 1 }]);
    expect(rise(entry(100n, 999n, { importCapWh: 60 }))).toEqual([{ netWh: -60n, windows: 1 }]);
    expect(rise(entry(999n, 110n), 13)).toEqual([{ netWh: 140n, windows: 3 }]);
    expect(rise(entry(120n, 100n), 10)).toEqual([{ netWh: 20n, windows: 0 }]);
    expect(rise(entry(99n, 98n))).toEqual([{ netWh: 0n, windows: 1 }]);
  });

  it('has of the other homes that of the last window, where both its ends are known', () => {
    const [of, taken] = [meter(1), meter(0)];
    const net = () => netRises([entry(100n, 100n)], [taken, of], statements, asWindow(11)).slice(1);
    put(0, 10);
    put(0, 11, 999n);
    put(1, 11, 107n, 103n);
    expect(net()).toEqual([]);
    put(1, 10, 100n, 100n);
    expect(net()).toEqual([{ netWh: 4n, windows: 1 }]);
    put(1, 9, 0n, 0n);
    put(1, 12, 999n, 999n);
    expect(net()).toEqual([{ netWh: 4n, windows: 1 }]);
  });

  it.each([
    [[9, 11], [0n, 5n], []],
    [[10, 12], [0n, 5n], []],
    [[10, 11], [0n, 12n], [12n]],
    [[10, 11], [0n, 13n], [12n]],
    [[10, 11], [5n, 0n], [0n]],
  ] as [number[], bigint[], bigint[]][])('windows %s with totals %s', (windows, totals, expected) => {
    for (const [i, window] of windows.entries()) put(1, window, totals[i], 0n);
    const rises = (of: SlottedMeter) => netRises([], [of], statements, asWindow(11));
    expect(rises(meter(1))).toEqual(expected.map((netWh) => ({ netWh, windows: 1 })));
    statements = new TestStatements();
    for (const [i, window] of windows.entries()) put(1, window, 0n, totals[i]);
    expect(rises(meter(1))).toEqual(expected.map((netWh) => ({ netWh: -netWh, windows: 1 })));
  });

  it('leaves out who cannot be attested', () => {
    const read = pageOf(open, { ...open, flags: SlotFlag.suspended });
    const of = (more: object) => attestableOf(1, [{ ...meter(0), ...more }], read).length;
    expect([of({}), of({ zone: 2 }), of({ slot: null }), of({ status: 'suspended' })]).toEqual([1, 0, 0, 0]);
    expect([of({ slot: 1 }), of({ slot: 2 }), of({ slot: 1, page: 1 })]).toEqual([0, 0, 1]);
  });
});

describe('the bytes of a proposal', () => {
  const [payer, other] = [keyOf('attestor 1').publicKey, keyOf('attestor 2').publicKey];
  const blockhash = keyOf('a blockhash').publicKey.toBase58();
  const read = pageOf(open, open);
  const messageOf = (instructions: TransactionInstruction[]) =>
    new TransactionMessage({ payerKey: payer, recentBlockhash: blockhash, instructions })
      .compileToV0Message()
      .serialize();
  const units = (limit: number) => ComputeBudgetProgram.setComputeUnitLimit({ units: limit });
  const entryAt = (slot: number, exportWh = 110n): AttestEntry => {
    put(0, 11, exportWh);
    const payload = statements.attestable(meter(0).meterId, 10, 1_000).at(-1)?.payload ?? new Uint8Array();
    return { meterId: meter(slot).meterId, slot, exportWh: asWh(110n), importWh: asWh(120n), before: open, payload };
  };
  const attest = (items: AttestEntry[]) =>
    buildAttestPage({ zone: 1, page: 0, read, window: 11, items, attestors: [payer, other] });
  const proposal = (items: AttestEntry[]) => readProposal(messageOf([units(1_400_000), attest(items)]));

  it('are those of its own totals, or the first difference is named', () => {
    const of = proposal([entryAt(0)]);
    expect(difference(of, read, [entryAt(0)])).toBeNull();
    expect(difference(of, read, [entryAt(0, 111n)])).toBe('root');
    for (const change of [{ exportWh: asWh(111n) }, { importWh: asWh(121n) }, { exportWh: asWh(99n) }]) {
      expect(difference(of, read, [{ ...entryAt(0), ...change }])).toBe('totals');
    }
    expect(difference(of, read, [])).toBe('totals');
    // One payload at another slot has this root and these totals.
    expect(difference(of, read, [entryAt(1)])).toBe('transaction');
    expect(() => difference(of, { ...read, slots: null as never }, [entryAt(0)])).toThrow(TypeError);
  });

  it('have room for another slot up to the last byte', () => {
    const fits = (bytes: number, slot = 0) =>
      fitsInto({ ...proposal([entryAt(0)]), bytes: new Uint8Array(bytes) }, read)(slot, {
        exportWh: asWh(110n),
        importWh: asWh(120n),
      });
    // 1,232 bytes: a count, two signatures, the message, two totals of a byte each, and a byte of their length.
    expect([fits(1_100), fits(1_101), fits(1_100, 2)]).toEqual([true, false, false]);
  });

  it('are read only where they are a compute-unit limit and an attest_page', () => {
    const good = attest([entryAt(0)]);
    const budget = units(9);
    const wide = { ...budget, keys: [{ pubkey: other, isSigner: false, isWritable: false }] };
    const cut = { ...good, data: good.data.subarray(0, 91) };
    const noLimit = 'the first instruction is no compute-unit limit';
    const noAttest = 'the second instruction is no attest_page';
    const bad: [string, TransactionInstruction[]][] = [
      ['not two instructions', [good]],
      ['not two instructions', [budget, good, good]],
      [noLimit, [good, budget]],
      [noLimit, [wide, good]],
      [noLimit, [{ ...budget, data: Buffer.of(...budget.data, 0) }, good]],
      [noLimit, [{ ...budget, data: Buffer.of(3, ...budget.data.subarray(1)) }, good]],
      [noLimit, [{ ...budget, programId: other }, good]],
      ['1400001 compute units', [units(1_400_001), good]],
      [noAttest, [budget, cut]],
      [noAttest, [budget, { ...good, programId: other }]],
      [noAttest, [budget, { ...good, data: Buffer.of(0, ...good.data.subarray(1)) }]],
      ['attest_page without its accounts', [budget, { ...good, keys: [] }]],
      ['attest_page without its accounts', [budget, { ...good, keys: good.keys.slice(0, 2) }]],
    ];
    for (const [words, list] of bad) expect(() => readProposal(messageOf(list))).toThrow(new RangeError(words));
    expect(() => readProposal(Uint8Array.of(1))).toThrow(/^no v0 message: ./);
    expect(proposal([entryAt(0)])).toMatchObject({ units: 1_400_000, version: 3n, moves: 0, window: 11, slots: [0] });
  });
});
