import { asWindow, EventCode, GapReason, Quality, Reason, windowEndAtMs } from '@gridtokenx/protocol';
import {
  INITIAL_WINDOW,
  JournalBuilder,
  meterOf,
  type Signed,
  START_MS,
  signerOf,
} from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import type { MeterRecord } from '../../src/domain/ports.js';
import { judgeSet } from '../../src/domain/verdicts/judge-set.js';

const meter = meterOf(1);
const NOW = START_MS + 86_400_000;

function builder(of: MeterRecord = meter): JournalBuilder {
  return new JournalBuilder(of, signerOf(1));
}

/** Returns verdict codes in the order of the messages. */
function codes(log: readonly Signed[], nowMs = NOW, arrivedAtMs = nowMs, of: MeterRecord = meter): number[] {
  const result = judgeSet(
    log.map((m) => ({ ...m, arrivedAtMs, registryIsNewer: true })),
    of,
    nowMs,
  );
  return log.map((m) => result.judgements.get(Buffer.from(m.hash).toString('hex'))?.verdict.code ?? -1);
}

function stored(log: readonly Signed[]): bigint {
  return judgeSet(
    log.map((m) => ({ ...m, arrivedAtMs: NOW, registryIsNewer: true })),
    meter,
    NOW,
  ).storedThrough;
}

describe('an honest log', () => {
  it('is verified throughout and stored through its last seq', () => {
    const log = builder().honest(4);
    expect(codes(log)).toEqual(log.map(() => 0));
    expect(stored(log)).toBe(BigInt(log.length));
  });
});

describe('prev chain', () => {
  it('waits for a predecessor that may still come, and for nothing else', () => {
    const b = builder();
    const [enrolment, one, two, three] = [b.enrolment(), b.reading(), b.reading(), b.reading()];
    expect(codes([enrolment, one, three])).toEqual([0, 0, Reason.predecessorPending]);
    expect(stored([enrolment, one, three])).toBe(2n);
    expect(codes([enrolment, one, two, three])).toEqual([0, 0, 0, 0]);
  });

  it('passes statements and gap 1 to the predecessor, and does not check across any other gap', () => {
    for (const [reason, expected] of [
      [GapReason.unused, Reason.chainBroken],
      [GapReason.thinned, 0],
      [GapReason.damaged, 0],
      [GapReason.restored, 0],
      [GapReason.refused, 0],
    ] as const) {
      const b = builder();
      const log = [b.enrolment(), b.reading(), b.statement()];
      b.prev = new Uint8Array(16).fill(7);
      log.push(b.gap(4, reason));
      expect(codes(log).at(-1), `gap ${reason}`).toBe(expected);
    }
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.statement(), b.gap(4, GapReason.unused), b.reading()];
    expect(codes(log)).toEqual([0, 0, 0, 0, 0]);
    expect(stored(log)).toBe(9n);
  });

  it('breaks on a wrong prev, also of the first message, and the chain goes on from what was signed', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading({ prev: new Uint8Array(16).fill(1) }), b.reading()];
    expect(codes(log)).toEqual([0, Reason.chainBroken, 0]);
    expect(stored(log)).toBe(1n);
  });

  it('a refused seq is passed once it is declared as gap 5', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading({ prev: new Uint8Array(16).fill(1) }), b.reading()];
    const data = new Uint8Array(16);
    data[0] = GapReason.refused;
    log.push(b.event({ code: EventCode.gap, value: 2n, detail: 1, data }));
    expect(codes(log)).toEqual([0, Reason.chainBroken, 0, 0]);
    expect(stored(log)).toBe(4n);
  });

  it('a gap cannot be declared for the declaring seq or later ones', () => {
    const b = builder();
    const log = [b.enrolment(), b.event({ code: EventCode.gap, value: 1n, detail: 0xffff_ffff })];
    b.seq += 1n;
    log.push(b.reading());
    expect(codes(log)).toEqual([0, 0, Reason.predecessorPending]);
    expect(stored(log)).toBe(2n);
  });
});

describe('registers', () => {
  it('never fall, and a refused reading is no basis for the next', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.reading({ exportWh: 999n }), b.reading(), b.reading({ importWh: 0n })];
    expect(codes(log)).toEqual([0, 0, Reason.registerFell, 0, Reason.registerFell]);
  });

  it('are judged against the enrolment at first', () => {
    const b = builder();
    expect(codes([b.enrolment(), b.reading({ exportWh: 999n })])).toEqual([0, Reason.registerFell]);
  });

  it('rise at most as fast as the connection: exactly at the limit, and one watt-hour above', () => {
    // 60 s apart, 50 ms of uncertainty each, 60 s of tolerance: 10 kW x 120.1 s x 1.1 = 366 Wh, 1 Wh step, 1 Wh rounding.
    for (const [rise, expected] of [
      [368n, 0],
      [369n, Reason.abovePhysicalLimit],
    ] as const) {
      const b = builder();
      const log = [b.enrolment(), b.reading(), b.reading({}, { exportWh: rise })];
      expect(codes(log), `${rise} Wh`).toEqual([0, 0, expected]);
    }
  });

  it('with bit 3 claim nothing and are no basis', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.reading({ quality: Quality.discontinuity, exportWh: 3n }), b.reading()];
    expect(codes(log)).toEqual([0, 0, 0, 0]);
  });
});

describe('statements', () => {
  it('rise in their windows; the same window twice is an equivocation of both', () => {
    const b = builder();
    const first = [b.enrolment(), b.reading(), b.statement(), b.reading(), b.statement()];
    const older = b.statement({ window: INITIAL_WINDOW, exportWh: b.exportWh });
    expect(codes([...first, older])).toEqual([
      0,
      0,
      Reason.equivocation,
      Reason.keySuspended,
      Reason.keySuspended,
      Reason.equivocation,
    ]);
    const c = builder();
    const log = [c.enrolment(), c.reading(), c.statement({ window: INITIAL_WINDOW + 2 })];
    log.push(c.reading(), c.statement({ window: INITIAL_WINDOW + 1 }));
    expect(codes(log)).toEqual([0, 0, 0, 0, Reason.windowNotRising]);
  });

  it('must have the root and count of their readings when all are there', () => {
    for (const change of [{ readingsRoot: new Uint8Array(32) }, { readingCount: 2 }, { exportWh: 1_500n }]) {
      const b = builder();
      const log = [b.enrolment(), b.reading(), b.reading(), b.reading(), b.statement(change)];
      expect(
        codes(log).at(-1),
        JSON.stringify(change, (_, v) => (typeof v === 'bigint' ? String(v) : v)),
      ).toBe(Reason.rootMismatch);
    }
  });

  it('are accepted with a note when readings are not there', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.reading(), b.statement()];
    expect(codes(log.filter((_, i) => i !== 2))).toEqual([0, 0, Reason.rootNotReproducible]);
    // A false root is detected once the readings are there.
    const c = builder();
    const bad = [c.enrolment(), c.reading(), c.reading(), c.statement({ readingsRoot: new Uint8Array(32) })];
    expect(codes(bad.filter((_, i) => i !== 2))).toEqual([0, 0, Reason.rootNotReproducible]);
    expect(codes(bad)).toEqual([0, 0, 0, Reason.rootMismatch]);
  });

  it('rise at most as fast as the connection over their windows', () => {
    // One window later: 10 kW x 2 windows x 1.1 = 5,500 Wh, 1 Wh step, 1 Wh rounding.
    for (const [rise, expected] of [
      [5_502n, 0],
      [5_503n, Reason.abovePhysicalLimit],
    ] as const) {
      const b = builder();
      const log = [b.enrolment(), b.reading(), b.statement()];
      b.timeMs += 60_000;
      log.push(b.statement({ exportWh: b.exportWh + rise }));
      expect(codes(log).at(-1), `${rise} Wh`).toBe(expected);
    }
  });

  it('before the enrolment are refused', () => {
    const b = builder();
    expect(codes([b.enrolment(), b.statement({ window: INITIAL_WINDOW - 1 })])).toEqual([0, Reason.beforeEnrolment]);
  });
});

describe('time', () => {
  it('up to 60 s ahead is taken, up to a day ahead waits, beyond is final even when the day has come', () => {
    const at = (ahead: number) => {
      const b = builder();
      return [b.enrolment(), b.reading({ timeMs: BigInt(NOW + ahead), timeUncertaintyMs: 10 })];
    };
    expect(codes(at(60_010)).at(-1)).toBe(0);
    expect(codes(at(60_011)).at(-1)).toBe(Reason.fromTheFuture);
    expect(codes(at(86_400_010)).at(-1)).toBe(Reason.fromTheFuture);
    expect(codes(at(86_400_011)).at(-1)).toBe(Reason.farFuture);
    expect(codes(at(86_400_010), NOW + 86_400_000, NOW).at(-1)).toBe(0);
    expect(codes(at(86_400_011), NOW + 90_000_000, NOW).at(-1)).toBe(Reason.farFuture);
  });

  it('a statement lies in the future by its window; after one far ahead the key can sign no more windows', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.statement({ window: INITIAL_WINDOW + 400 }), b.reading(), b.statement()];
    expect(codes(log)).toEqual([0, 0, Reason.farFuture, 0, Reason.windowNotRising]);
    const c = builder();
    const ahead = [c.enrolment(), c.reading(), c.statement({ window: INITIAL_WINDOW + 10 })];
    expect(codes(ahead, START_MS + 120_000).at(-1)).toBe(Reason.fromTheFuture);
    expect(codes(ahead, windowEndAtMs(asWindow(INITIAL_WINDOW + 10)) - 60_000).at(-1)).toBe(0);
  });

  it('of unknown uncertainty is neither in the future nor before the enrolment', () => {
    for (const timeMs of [0n, BigInt(NOW + 999_999_999)]) {
      const b = builder();
      expect(codes([b.enrolment(), b.reading({ timeMs, timeUncertaintyMs: null })])).toEqual([0, 0]);
    }
    const b = builder();
    const log = [
      b.enrolment(),
      b.event({ timeMs: 0n, quality: Quality.unsynchronised }),
      b.event({ timeMs: 0n, quality: 0 }),
    ];
    expect(codes(log)).toEqual([0, 0, Reason.beforeEnrolment]);
  });

  it('before the enrolment is refused', () => {
    const b = builder();
    expect(codes([b.enrolment(), b.reading({ timeMs: BigInt(START_MS - 51) })]).at(-1)).toBe(Reason.beforeEnrolment);
    const c = builder();
    expect(codes([c.enrolment(), c.reading({ timeMs: BigInt(START_MS - 50) })]).at(-1)).toBe(0);
  });
});

describe('equivocation', () => {
  it('suspends the key from the lowest equivocating seq on, and not below', () => {
    const b = builder();
    const log = [b.enrolment(), b.reading(), b.reading()];
    b.seq -= 1n;
    log.push(b.reading({ powerW: 1 }), b.reading(), b.statement());
    expect(codes(log)).toEqual([
      0,
      0,
      Reason.equivocation,
      Reason.equivocation,
      Reason.keySuspended,
      Reason.keySuspended,
    ]);
    expect(stored(log)).toBe(2n);
  });

  it('gaps declared by a suspended key count no more', () => {
    const b = builder();
    const log = [b.enrolment()];
    b.seq += 1n;
    log.push(b.reading());
    const data = Uint8Array.of(2, ...new Uint8Array(15));
    const declared = b.event({ code: EventCode.gap, value: 2n, detail: 1, data });
    expect(codes([...log, declared])).toEqual([0, 0, 0]);
    b.seq -= 1n;
    const other = b.event({ detail: 5 });
    expect(codes([...log, declared, other])).toEqual([
      0,
      Reason.predecessorPending,
      Reason.equivocation,
      Reason.equivocation,
    ]);
  });
});

describe('enrolment', () => {
  it('must say what was registered', () => {
    for (const change of [
      { owner: new Uint8Array(32) },
      { importWh: 1n },
      { exportWh: 1n },
      { zone: 2 },
      { role: 1 as const },
      { deviceSigned: true },
      { keyEpoch: 1 },
      { window: INITIAL_WINDOW + 1 },
    ]) {
      const b = builder();
      expect(codes([b.enrolment(change)])).toEqual([Reason.unexpectedEnrolment]);
    }
  });
});
