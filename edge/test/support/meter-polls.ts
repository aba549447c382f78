import {
  decodePayload,
  ed25519Signer,
  Kind,
  type Payload,
  type PayloadToEncode,
  Role,
  Source,
  windowOf,
} from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '../../src/adapters/spool/spool.js';
import { Meter, type MeterOptions } from '../../src/domain/metering/meter.js';
import type { MeterSample } from '../../src/domain/ports.js';
import { MeterJournal } from '../../src/domain/signing/meter-journal.js';
import { FRESH_STATE } from '../../src/domain/signing/meter-state.js';
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

const readerOf = (time: VirtualClock, read: (nowMs: number) => Registers) => ({
  read: async (): Promise<MeterSample> => {
    const timeMs = time.reading.nowMs();
    const { importWh, exportWh, powerW = 0 } = read(timeMs);
    const values = { powerW, voltageDv: null, frequencyChz: null, raw: new Uint8Array(9) };
    const steadyMs = time.reading.steadyMs();
    return {
      steadyMs,
      resolutionWh: 1n,
      against: [],
      timeMs,
      uncertaintyMs: 5,
      importWh: BigInt(importWh),
      exportWh: BigInt(exportWh),
      ...values,
    };
  },
});

/** Polls a meter every minute of virtual time; `read` returns the registers or throws. */
export async function setUp(
  read: (nowMs: number) => Registers,
  speed = 1,
  readSerial?: () => Promise<string | null>,
  { enrolledWh = 0n, ...more }: Pick<MeterOptions, 'leastPeriod' | 'keepFrames'> & { enrolledWh?: bigint } = {},
) {
  const time = new VirtualClock({ startAtMs: START, speed });
  const { spool } = await openSpool(new CrashDisk(), '/spool', time, () => {}, SEGMENT_BYTES);
  const messages: Payload[] = [];
  const counts = new Map<string, number>();
  const counters = { add: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1) };
  const scan = new RecoveryScan();
  const recovered = scan.result(METER_HEX);
  const journal = new MeterJournal({ networkId: NETWORK, meterId: METER }, FRESH_STATE, recovered, {
    signer: ed25519Signer(new Uint8Array(32).fill(1)),
    spool,
    readingClock: time.reading,
    counters,
    store: async () => {},
    committed: ({ payload }) => messages.push(decodePayload(payload)),
  });
  scan.visit(await journal.enrol((seq) => enrolmentOf(seq, enrolledWh)));
  const meter = new Meter({
    name: 'main',
    profileName: 'test',
    journal,
    recovered: scan.result(METER_HEX),
    reader: readerOf(time, read),
    readSerial,
    serial: '0042-A',
    limits: { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 },
    plan: { pollMs: MINUTE, leadMs: 20_000 },
    readingClock: time.reading,
    clock: time,
    logger: quietLog,
    counters,
    ...more,
  });
  const stop = new AbortController();
  let mayClose = true;
  const done = meter.run(() => mayClose, stop.signal);
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
  return { time, meter, of, counts, end, allowClosing };
}

export const rising = (nowMs: number): Registers => ({ importWh: Math.floor((nowMs - START) / 1000), exportWh: 0 });
