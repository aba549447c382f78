import { decodePayload, EventCode, ed25519Signer, Kind, type Payload } from '@gridtokenx/protocol';
import type { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '../../src/adapters/spool/spool.js';
import type { MeterSample, Spool } from '../../src/domain/ports.js';
import { MeterJournal } from '../../src/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE } from '../../src/domain/signing/meter-state.js';
import { openFloor, RecoveryScan } from '../../src/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '../../src/wiring/sizes.js';
import { METER, METER_HEX, NETWORK } from './messages.js';

const signer = ed25519Signer(new Uint8Array(32).fill(3));
export const STATE = '/state/meter.json';
export const START = Date.UTC(2026, 0, 1, 9, 0);

export interface Run {
  readonly journal: MeterJournal;
  readonly spool: Spool;
  /** Everything that this run forwarded for publication. */
  readonly published: { payload: Payload; bytes: Uint8Array; message: Uint8Array }[];
  readonly time: VirtualClock;
  readonly begin: () => Promise<void>;
}

interface RunOptions {
  readonly storedThrough?: bigint;
  readonly reserve?: boolean;
  readonly at?: number;
  /** Value of every byte of the configuration's hash. */
  readonly configuration?: number;
}

/** Starts a run of a gateway's meter on a disk, up to and including event 1 and the gaps. */
export async function startRun(disk: CrashDisk, options: RunOptions = {}): Promise<Run> {
  const run = await openRun(disk, options);
  await run.begin();
  return run;
}

export async function openRun(disk: CrashDisk, options: RunOptions): Promise<Run> {
  const time = new VirtualClock({ startAtMs: options.at ?? START });
  const text = await disk.read(STATE);
  const state = text ? decodeState(Buffer.from(text).toString()) : FRESH_STATE;
  const scan = new RecoveryScan({ floor: () => openFloor(state) });
  const { spool, damage } = await openSpool(disk, '/spool', time, (message) => scan.visit(message), SEGMENT_BYTES);
  const recovered = scan.result(METER_HEX);
  const published: Run['published'] = [];
  const journal = new MeterJournal({ networkId: NETWORK, meterId: METER }, state, recovered, {
    signer,
    spool,
    readingClock: time.reading,
    counters: { add: () => {} },
    // The control: a reservation that is not stored.
    store: async (state) =>
      disk.replace(
        STATE,
        Buffer.from(encodeState(options.reserve === false ? { ...state, reservedThrough: 0n } : state)),
      ),
    committed: (message) => {
      published.push({ payload: decodePayload(message.payload), bytes: message.payload, message: message.bytes });
    },
  });
  const tornRecords = Math.ceil(damage.tornBytes / 187);
  const configHash = new Uint8Array(16).fill(options.configuration ?? 0);
  const hashes = { softwareHash: new Uint8Array(16), configHash };
  const start = { ...hashes, storedThrough: options.storedThrough ?? 0n, tornRecords };
  return { journal, spool, published, time, begin: () => journal.start(recovered, start) };
}

export const sample = (timeMs: number, wh: number): MeterSample => ({
  timeMs,
  uncertaintyMs: 10,
  steadyMs: timeMs,
  resolutionWh: 1n,
  against: [],
  importWh: BigInt(wh),
  exportWh: BigInt(2 * wh),
  powerW: -5,
  voltageDv: 2301,
  frequencyChz: 5000,
  raw: Uint8Array.of(1, 2, 3),
});

export const ofKind = <K extends Payload['kind']>(run: Run, kind: K) =>
  run.published.flatMap(({ payload }) => (payload.kind === kind ? [payload as Extract<Payload, { kind: K }>] : []));
export const gapsOf = (run: Run) =>
  ofKind(run, Kind.event)
    .filter(({ code }) => code === EventCode.gap)
    .map(({ value, detail, data }) => [value, detail, data[0]]);
