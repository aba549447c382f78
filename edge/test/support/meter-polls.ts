import {
  decodePayload,
  ed25519Signer,
  Kind,
  type Payload,
  type PayloadToEncode,
  Role,
  Source,
  SYNCHRONISED_UNCERTAINTY_MS,
  windowOf,
} from '@gridtokenx/protocol';
import type { ReadingClock } from '@gridtokenx/runtime/core';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '../../src/adapters/spool/spool.js';
import { Meter, type MeterOptions } from '../../src/domain/metering/meter.js';
import type { FurtherSample, MeterSample } from '../../src/domain/ports.js';
import { MeterJournal } from '../../src/domain/signing/meter-journal.js';
import { FRESH_STATE, type MeterState } from '../../src/domain/signing/meter-state.js';
import { RecoveryScan } from '../../src/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '../../src/wiring/sizes.js';
import { METER, METER_HEX, NETWORK } from './messages.js';

export const START = Date.UTC(2026, 0, 1, 9, 0);
export const MINUTE = 60_000;

export interface Registers {
  importWh: number;
  exportWh: number;
  powerW?: number;
}

const enrolmentOf = (seq: bigint, importWh: bigint): PayloadToEncode => ({
  kind: Kind.enrolment,
  networkId: NETWORK,
  meterId: METER,
  seq,
  owner: new Uint8Array(32),
  importWh,
  exportWh: 0n,
  zone: 1,
  source: Source.solar,
  role: Role.point,
  deviceSigned: false,
  keyEpoch: 0,
  window: windowOf(START),
});

const readerOf = (time: VirtualClock, clock: ReadingClock, read: (nowMs: number) => Registers) => ({
  read: async (): Promise<MeterSample> => {
    const timeMs = clock.nowMs();
    const { importWh, exportWh, powerW = 0 } = read(time.reading.nowMs());
    const values = { powerW, voltageDv: null, frequencyChz: null, raw: new Uint8Array(9) };
    const steadyMs = clock.steadyMs();
    return {
      steadyMs,
      resolutionWh: 1n,
      against: [],
      timeMs,
      uncertaintyMs: clock === time.reading ? 5 : clock.uncertaintyMs(),
      importWh: BigInt(importWh),
      exportWh: BigInt(exportWh),
      ...values,
    };
  },
});

export interface SetUpOptions extends Partial<Pick<MeterOptions, 'leastPeriod' | 'keepFrames' | 'logger'>> {
  readonly enrolledWh?: bigint;
  /** Returns the clock that dates the readings; default: the true time. */
  readonly clockOf?: (time: VirtualClock) => ReadingClock;
  /** Reads further values at an instant of the true time. */
  readonly further?: (nowMs: number) => Promise<FurtherSample | null>;
  /** Stores the state; rejects as a disk does. */
  readonly store?: (state: MeterState) => Promise<void>;
}

/** Polls a meter every minute of virtual time; `read` returns the registers at the true time, or throws. */
export async function setUp(
  read: (nowMs: number) => Registers,
  speed = 1,
  readSerial?: () => Promise<string | null>,
  { enrolledWh = 0n, clockOf = ({ reading }) => reading, further, store = async () => {}, ...more }: SetUpOptions = {},
) {
  const time = new VirtualClock({ startAtMs: START, speed });
  const readingClock = clockOf(time);
  const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
  const messages: Payload[] = [];
  const counts = new Map<string, number>();
  const counters = { add: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1) };
  const scan = new RecoveryScan();
  const recovered = scan.result(METER_HEX);
  const journal = new MeterJournal({ networkId: NETWORK, meterId: METER }, FRESH_STATE, recovered, {
    signer: ed25519Signer(new Uint8Array(32).fill(1)),
    spool,
    readingClock,
    counters,
    store,
    committed: ({ payload }) => messages.push(decodePayload(payload)),
  });
  scan.visit(await journal.enrol((seq) => enrolmentOf(seq, enrolledWh)));
  const meter = new Meter({
    name: 'main',
    profileName: 'test',
    journal,
    recovered: scan.result(METER_HEX),
    reader: {
      ...readerOf(time, readingClock, read),
      ...(further ? { further: () => further(time.reading.nowMs()) } : {}),
    },
    readSerial,
    serial: '0042-A',
    limits: { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 },
    plan: { pollMs: MINUTE, leadMs: 20_000 },
    readingClock,
    clock: time,
    logger: quietLog,
    counters,
    ...more,
  });
  const stop = new AbortController();
  let mayClose = true;
  const isKnown = () => (readingClock.uncertaintyMs() ?? Number.POSITIVE_INFINITY) <= SYNCHRONISED_UNCERTAINTY_MS;
  const done = meter.run(() => mayClose && isKnown(), stop.signal);
  const end = async () => {
    stop.abort();
    await time.advance(0);
    await done;
  };
  const of = <K extends Payload['kind']>(kind: K) =>
    messages.flatMap((p) => (p.kind === kind ? [p as Extract<Payload, { kind: K }>] : []));
  const allowClosing = (allowed: boolean) => {
    mayClose = allowed;
  };
  return { time, meter, of, counts, end, allowClosing, readingClock };
}

export const rising = (nowMs: number): Registers => ({ importWh: Math.floor((nowMs - START) / 1000), exportWh: 0 });
