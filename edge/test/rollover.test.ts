import {
  decodePayload,
  EventCode,
  ed25519Signer,
  Kind,
  type Payload,
  type PayloadToEncode,
  Quality,
  type RegisterPair,
  windowOf,
} from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openSpool } from '../src/adapters/spool/spool.js';
import { Meter } from '../src/domain/metering/meter.js';
import { type RegisterLimits, unrolled } from '../src/domain/metering/registers.js';
import type { MeterSample } from '../src/domain/ports.js';
import { DiscontinuityReason } from '../src/domain/signing/discontinuity.js';
import { MeterJournal } from '../src/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE } from '../src/domain/signing/meter-state.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';
import { METER, METER_HEX, NETWORK } from './support/messages.js';

const START = Date.UTC(2026, 0, 1, 9, 0);
const MINUTE = 60_000;
const LIMITS: RegisterLimits = { importLimitW: 60_000, exportLimitW: 60_000, stepWh: 2 };
/** A counter of 0 to 9,999 Wh, for both directions. */
const TURN = 10_000n;
const STATE = '/state/meter.json';

describe('a register that begins at 0 again', () => {
  interface Registers extends RegisterPair {
    readonly timeMs: number;
  }
  const at = (minute: number, importWh: bigint, exportWh: bigint): Registers => ({
    timeMs: START + minute * MINUTE,
    importWh,
    exportWh,
  });
  const shown = (of: Registers, rollover: bigint | null = TURN) => ({
    ...of,
    importWh: of.importWh % TURN,
    exportWh: of.exportWh % TURN,
    rolloverWh: { importWh: rollover, exportWh: rollover },
  });

  test('is counted on as long as it rises no faster than the connection allows, turn after turn', () => {
    const rise = fc.record({ minutes: fc.integer({ min: 1, max: 4 }), a: fc.nat(1_000), b: fc.nat(1_000) });
    fc.assert(
      fc.property(fc.nat(9_999), fc.nat(9_999), fc.array(rise, { maxLength: 60 }), (a, b, rises) => {
        let truth = at(0, BigInt(a), BigInt(b));
        let last: Registers = truth;
        for (const one of rises) {
          const minute = (truth.timeMs - START) / MINUTE + one.minutes;
          truth = at(
            minute,
            truth.importWh + BigInt(one.a * one.minutes),
            truth.exportWh + BigInt(one.b * one.minutes),
          );
          const { importWh, exportWh, timeMs } = unrolled(last, shown(truth), truth.timeMs - last.timeMs, LIMITS);
          last = { importWh, exportWh, timeMs };
          expect(last).toEqual(truth);
        }
      }),
    );
  });

  test.each<[string, Registers | null, Registers, bigint | null]>([
    ['by more than the connection can have carried', at(0, 9_000n, 0n), at(1, 500n, 0n), TURN],
    ['by more than half a turn, however long it was silent', at(0, 4_000n, 0n), at(100_000, 0n, 0n), TURN],
    ['where no roll-over is known', at(0, 9_999n, 0n), at(1, 5n, 0n), null],
    ['where a roll-over cannot be counted', at(0, 9_999n, 0n), at(1, 5n, 0n), 1n],
    ['beyond its roll-over', at(0, 30_000n, 0n), at(1, 10_001n, 0n), TURN],
    ['with no time to judge it by', { ...at(0, 9_999n, 0n), timeMs: Number.NaN }, at(1, 5n, 0n), TURN],
    ['with nothing before', null, at(1, 5n, 0n), TURN],
  ])('is left as it is %s', (_, last, now, rollover) => {
    const sample = { ...now, rolloverWh: { importWh: rollover, exportWh: rollover } };
    const ms = last && !Number.isNaN(last.timeMs) ? now.timeMs - last.timeMs : null;
    expect(unrolled(last, sample, ms, LIMITS)).toBe(sample);
  });
});

/** Plays a gateway's meter over several runs on one disk; the meter shows `truth` as its counter does. */
async function play(
  minutes: readonly number[],
  truth: (minute: number) => bigint,
  rollover: bigint | null = TURN,
): Promise<{ payloads: Payload[]; told: number }> {
  const disk = new CrashDisk();
  const payloads: Payload[] = [];
  let [minute, told] = [0, 0];
  for (const length of minutes) {
    const time = new VirtualClock({ startAtMs: START + minute * MINUTE });
    const scan = new RecoveryScan();
    const { spool } = await openSpool(disk, '/spool', time, (message) => scan.visit(message), SEGMENT_BYTES);
    const state = await disk.read(STATE);
    const recovered = scan.result(METER_HEX);
    const journal = new MeterJournal(
      { networkId: NETWORK, meterId: METER },
      state ? decodeState(Buffer.from(state).toString()) : FRESH_STATE,
      recovered,
      {
        signer: ed25519Signer(new Uint8Array(32).fill(1)),
        spool,
        readingClock: time.reading,
        counters: { add: () => {} },
        store: (next) => disk.replace(STATE, Buffer.from(encodeState(next))),
        committed: ({ payload }) => payloads.push(decodePayload(payload)),
      },
    );
    if (!recovered.enrolment) scan.visit(await journal.enrol((seq) => enrolment(seq, truth(0))));
    const found = scan.result(METER_HEX);
    const hash = new Uint8Array(16);
    await journal.start(found, { softwareHash: hash, configHash: hash, storedThrough: 0n, tornRecords: 0 });
    const meter = new Meter({
      name: 'main',
      profileName: 'test',
      serial: '1',
      journal,
      recovered: found,
      reader: { read: async () => sampleAt(time.reading.nowMs(), truth, rollover) },
      limits: LIMITS,
      plan: { pollMs: MINUTE, leadMs: 20_000 },
      readingClock: time.reading,
      clock: time,
      logger: { ...quietLog, info: (_, text) => void (/rolled over/.test(text) && told++) },
      counters: { add: () => {} },
    });
    const stop = new AbortController();
    const done = meter.run(() => true, stop.signal);
    await time.advance(length * MINUTE);
    stop.abort();
    await time.advance(0);
    await done;
    await spool.close();
    minute += length;
  }
  return { payloads, told };
}

function sampleAt(timeMs: number, truth: (minute: number) => bigint, rollover: bigint | null): MeterSample {
  const wh = truth((timeMs - START) / MINUTE);
  const none = { powerW: null, voltageDv: null, frequencyChz: null };
  const rolloverWh = { importWh: rollover, exportWh: rollover };
  return {
    steadyMs: timeMs,
    resolutionWh: 1n,
    against: [],
    timeMs,
    uncertaintyMs: 5,
    importWh: 7n,
    exportWh: wh % TURN,
    ...none,
    raw: new Uint8Array(2),
    rolloverWh,
  };
}

const enrolment = (seq: bigint, exportWh: bigint): PayloadToEncode => ({
  kind: Kind.enrolment,
  networkId: NETWORK,
  meterId: METER,
  seq,
  owner: new Uint8Array(32),
  importWh: 7n,
  exportWh,
  zone: 1,
  source: 1,
  role: 0,
  deviceSigned: false,
  keyEpoch: 0,
  window: windowOf(START),
});

const readings = (payloads: readonly Payload[]) =>
  payloads.flatMap((payload) => (payload.kind === Kind.reading ? [payload] : []));
const details = (payloads: readonly Payload[]) =>
  events(payloads, EventCode.registerDiscontinuity).map((payload) => payload.kind === Kind.event && payload.detail);
const events = (payloads: readonly Payload[], code: number) =>
  payloads.filter((payload) => payload.kind === Kind.event && payload.code === code);

describe('a gateway', () => {
  /** 48 kW without a pause: a turn takes 12.5 minutes. */
  const truth = (minute: number) => 9_000n + BigInt(Math.floor(minute * 800));

  test('signs registers that never fall, over turns of the counter and starts of its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }), async (minutes) => {
        const { payloads, told } = await play(minutes, truth);
        const signed = readings(payloads);
        expect(signed.length).toBeGreaterThan(0);
        for (const { exportWh, timeMs, quality } of signed) {
          expect(exportWh).toBe(truth((Number(timeMs) - START) / MINUTE));
          expect(quality & Quality.discontinuity).toBe(0);
        }
        expect(events(payloads, EventCode.registerDiscontinuity)).toEqual([]);
        // Counts after the first reading; before it is the enrolment, which has no time.
        const turns = (wh: bigint) => Number(wh / TURN);
        expect(told).toBe(turns(signed.at(-1)?.exportWh ?? 0n) - turns(signed[0]?.exportWh ?? 0n));
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  test('control: without a roll-over in the profile the same registers are in doubt', async () => {
    const { payloads } = await play([5], truth, null);
    expect(details(payloads)).toEqual([DiscontinuityReason.doubtFell]);
  });

  test('a meter that was reset is still a discontinuity, where its profile has a roll-over', async () => {
    const { payloads } = await play([40], (minute) => (minute < 4 ? 3_000n : 3n) + BigInt(Math.floor(minute)));
    expect(details(payloads)).toEqual([DiscontinuityReason.doubtFell, DiscontinuityReason.fell]);
    expect(readings(payloads).every(({ exportWh }) => exportWh < TURN)).toBe(true);
  });
});
