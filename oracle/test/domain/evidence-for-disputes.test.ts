import { asWh, asWindow } from '@gridtokenx/protocol';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import type { MeterRecord } from '../../src/domain/ports.js';
import { findAnswer, MAX_STATEMENTS_LOOKED_AT } from '../../src/domain/settlement/disputes/evidence.js';
import type { CaseRead } from '../../src/domain/settlement/disputes/ports.js';
import { capWh, isOutOfStep } from '../../src/domain/settlement/disputes/sync.js';
import type { SignedStatement, StatementStore } from '../../src/domain/settlement/statements.js';

const [PRESENT, PREVIOUS] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
/** Rotated at window 50: the present key is good from 51 on, the previous key through 50. Carried 7, baseline 1,000. */
const meter = meterOf(1, {
  ...{
    signer: 'device',
    key: PRESENT,
    previousKey: PREVIOUS,
    previousKeyLastWindow: asWindow(50),
    firstWindow: asWindow(51),
  },
  ...{
    exportBaselineWh: asWh(1_000n),
    exportCarriedWh: asWh(7n),
    importBaselineWh: asWh(0n),
    importCarriedWh: asWh(0n),
  },
});
const dispute = (slotWindow: number, total: bigint): CaseRead => ({
  ...{
    number: 1,
    verdict: 0,
    openedWindow: asWindow(1),
    slotWindow: asWindow(slotWindow),
    slotExportWh: asWh(total),
    slotImportWh: asWh(0n),
  },
});

/** Stores statements by key, window and export register. */
function store(said: readonly [Uint8Array, number, bigint][]): StatementStore & { asked: number[] } {
  const of = (key: Uint8Array): SignedStatement[] =>
    said
      .filter(([by]) => by === key)
      .map(([, window, exportWh]) => ({
        window: asWindow(window),
        exportWh: asWh(exportWh),
        importWh: asWh(0n),
        message: Uint8Array.of(window),
      }))
      .sort((a, b) => b.window - a.window);
  const asked: number[] = [];
  return {
    ...{ asked, attestable: () => [], newest: () => undefined, inputs: () => [], onStored: () => () => {} },
    signedBy(_, key, window, limit) {
      asked.push(limit);
      return of(key).filter((one) => one.window <= window);
    },
    saying: (_, key, exact) => of(key).find((one) => one.window === exact.window && one.exportWh === exact.exportWh),
  };
}
const windowOf = (of: MeterRecord, at: CaseRead, said: readonly [Uint8Array, number, bigint][]) =>
  findAnswer(of, at, store(said))?.message[0] ?? null;

describe('the statement that answers a dispute', () => {
  it.each<[string, number | null, CaseRead, [Uint8Array, number, bigint][]]>([
    ['says exactly what the slot says', 60, dispute(60, 107n), [[PRESENT, 60, 1_100n]]],
    ['says more for an earlier window', 55, dispute(60, 107n), [[PRESENT, 55, 1_101n]]],
    ['says less', null, dispute(60, 107n), [[PRESENT, 60, 1_099n]]],
    ['is of a later window', null, dispute(60, 107n), [[PRESENT, 61, 1_100n]]],
    ['is by the present key before its first window', null, dispute(60, 107n), [[PRESENT, 50, 1_100n]]],
    ['is by the previous key, for its own window', 50, dispute(60, 107n), [[PREVIOUS, 50, 1_100n]]],
    ['is by the previous key after its last window', null, dispute(60, 107n), [[PREVIOUS, 51, 1_100n]]],
    ['is by a key of before', null, dispute(60, 107n), [[new Uint8Array(32).fill(3), 40, 1_100n]]],
    ['is below the baseline', null, dispute(60, 0n), [[PRESENT, 60, 900n]]],
  ])('%s', (_, expected, at, said) => expect(windowOf(meter, at, said)).toBe(expected));

  it('a gateway-signed meter has no evidence, whatever the ledger holds', () => {
    expect(windowOf({ ...meter, signer: 'gateway' }, dispute(60, 107n), [[PRESENT, 60, 1_100n]])).toBe(null);
  });

  it('looks at a bounded number of statements', () => {
    const statements = store([]);
    findAnswer(meter, dispute(60, 107n), statements);
    expect(statements.asked).toEqual([MAX_STATEMENTS_LOOKED_AT, MAX_STATEMENTS_LOOKED_AT]);
  });
});

describe('a slot that differs from its record', () => {
  const slot = {
    ...{ exportWh: asWh(0n), importWh: asWh(0n), window: asWindow(1), flags: 1, attestors: 0, epoch: 0 },
    ...{ exportCapWh: capWh(10_000, 1), importCapWh: capWh(10_000, 1) },
  };
  it('caps are those of the program: a quarter of an hour, a tenth more, the register step', () => {
    expect([capWh(10_000, 1), capWh(4_000, 10), capWh(1, 0), capWh(0, 5)]).toEqual([2_751, 1_110, 1, 5]);
  });
  it.each<[boolean, Partial<MeterRecord>, number]>([
    [false, {}, 1],
    [false, {}, 1 | 2 | 4 | 8],
    [true, { exportLimitW: 9_000 }, 1],
    [true, { importLimitW: 11_000 }, 1],
    [true, { registerStepWh: 2 }, 1],
    [true, { status: 'suspended' }, 1],
    [false, { status: 'suspended' }, 32],
    [true, {}, 32],
    [true, { status: 'closed' }, 1],
    [false, { exportLimitW: 9_000 }, 16],
    [false, {}, 0],
  ])('%s: %o at flags %i', (expected, change, flags) => {
    expect(isOutOfStep({ ...meterOf(1), ...change }, { ...slot, flags })).toBe(expected);
  });
});
