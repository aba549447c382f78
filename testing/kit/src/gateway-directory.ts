import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  asMeterId,
  asPublicKeyText,
  EventCode,
  formatKwh,
  fromHex,
  Kind,
  type MeterWatermark,
  openPoint,
  type PayloadToEncode,
  pointStatement,
  Role,
  Source,
  windowOf,
} from '@gridtokenx/protocol';
import { FloorTime } from '#edge/adapters/clock/floor.js';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { FrameRing } from '#edge/adapters/frames/ring.js';
import { KeyStore, type MeterKey } from '#edge/adapters/keys/key-store.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { AckTracker } from '#edge/domain/delivery/ack-tracker.js';
import type { MeterSample, Spool } from '#edge/domain/ports.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import { encodeState, FRESH_STATE } from '#edge/domain/signing/meter-state.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import type { ClosedWindow } from '#edge/domain/signing/windows.js';
import { HOUR_BYTES, SEGMENT_BYTES } from '#edge/wiring/sizes.js';
import { Random } from './random.js';
import { VirtualClock } from './virtual-clock.js';

/** Holds a gateway's data directory of format 1, with its configuration. */
export const GATEWAY_V1 = fileURLToPath(new URL('../fixtures/gateway-v1/', import.meta.url));

const NETWORK = fromHex('0102030405060708');
const START_MS = Date.UTC(2026, 0, 1, 9, 0);
const INITIAL_WINDOW = windowOf(START_MS);
/** The oracle that the configuration names. */
const ORACLE = asPublicKeyText(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0)));
const OWNER = new Uint8Array(32).fill(1);
const HASHES = { softwareHash: new Uint8Array(16).fill(2), configHash: new Uint8Array(16).fill(3) };
const METERS = [
  { name: 'pv', serial: '1001', role: Role.production, source: Source.solar },
  { name: 'house', serial: '1002', role: Role.consumption, source: Source.none },
] as const;

const sample = (timeMs: number, importWh: bigint, exportWh: bigint): MeterSample => ({
  timeMs,
  uncertaintyMs: 10,
  steadyMs: timeMs,
  resolutionWh: 1n,
  against: [],
  importWh,
  exportWh,
  powerW: -500,
  voltageDv: 2301,
  frequencyChz: null,
  raw: Uint8Array.of(1, 4, 8, ...Buffer.from(formatKwh(importWh))),
});

const enrolmentOf = (key: MeterKey, seq: bigint, role: Role, source: Source): PayloadToEncode => ({
  kind: Kind.enrolment,
  networkId: NETWORK,
  meterId: key.meterId,
  seq,
  owner: OWNER,
  importWh: role === Role.point ? 0n : 1_000n,
  exportWh: role === Role.point ? 0n : 2_000n,
  zone: 1,
  source,
  role,
  deviceSigned: false,
  keyEpoch: 0,
  window: INITIAL_WINDOW,
});

interface OpenLog {
  readonly key: MeterKey;
  readonly journal: MeterJournal;
  readonly start: () => Promise<void>;
}

function logOf(dir: string, key: MeterKey, spool: Spool, time: VirtualClock): OpenLog {
  const id = asMeterId(key.meterId);
  const recovered = new RecoveryScan().result(id);
  const journal = new MeterJournal({ networkId: NETWORK, meterId: key.meterId }, FRESH_STATE, recovered, {
    signer: key.signer,
    spool,
    readingClock: time.reading,
    counters: { add: () => {} },
    gapMs: 180_000,
    store: (state) => nodeDisk.replace(join(dir, 'state', `${id}.json`), Buffer.from(encodeState(state))),
    committed: () => {},
  });
  return { key, journal, start: () => journal.start(recovered, { ...HASHES, storedThrough: 0n, tornRecords: 0 }) };
}

/** Reads both meters once a minute; returns the content of their statements. */
async function readMeters(meters: readonly OpenLog[], time: VirtualClock): Promise<ClosedWindow[][]> {
  const closed: ClosedWindow[][] = meters.map(() => []);
  for (let minute = 0; minute < 34; minute++) {
    const wh = BigInt(20 * minute);
    for (const [i, { journal }] of meters.entries()) {
      const at = START_MS + 60_000 * minute;
      await journal.reading(sample(at + 55_000, 1_000n + (i ? wh : 0n), 2_000n + (i ? 0n : wh)), true);
      closed[i]?.push(...(await journal.closeDue(at + 60_000)));
    }
    await time.advance(60_000);
  }
  return closed;
}

/** Signs the point's statement for each window that both meters closed. */
async function derivePoint(
  { journal }: OpenLog,
  [produced = [], consumed = []]: readonly ClosedWindow[][],
): Promise<void> {
  for (const [i, production] of produced.entries()) {
    const consumption = consumed[i];
    if (!consumption) throw new Error('a statement has no counterpart');
    const inputOf = ({ uncertaintyMs, ...closed }: ClosedWindow) => ({ ...closed, timeUncertaintyMs: uncertaintyMs });
    const [p, c] = [inputOf(production), inputOf(consumption)];
    const state = openPoint({ importWh: BigInt(100 * i), exportWh: BigInt(300 * i) }, p, c);
    await journal.closeSpan(pointStatement(state, false, p, c), state);
  }
}

/** Writes the gateway's other files, beside keys, spool and meters' states. */
async function keepRest(dir: string, meters: readonly OpenLog[], time: VirtualClock): Promise<void> {
  const marks = meters.map(({ journal }): [string, MeterWatermark] => [
    journal.id,
    { storedThrough: 20n, highestSeen: journal.nextSeq - 1n, highestWindow: INITIAL_WINDOW },
  ]);
  const acks = new AckTracker([ORACLE], 1);
  const ledgerId = new Uint8Array(16).fill(4);
  acks.accept(ORACLE, { gateway: new Uint8Array(32), ledgerId, timeMs: START_MS, meters: new Map(marks), refused: [] });
  await nodeDisk.replace(join(dir, 'state', 'acks.json'), Buffer.from(acks.encode()));
  const floor = await FloorTime.open(nodeDisk, join(dir, 'state', 'floor.json'), 0);
  await floor.raise(START_MS);
  const frames = new FrameRing({ disk: nodeDisk, dir: join(dir, 'frames'), clock: time, hourBytes: HOUR_BYTES });
  frames.keep({ timeMs: START_MS, bus: 'lan', unit: 1, function: 4, address: 72, frame: Uint8Array.of(1, 4, 0, 0) });
  await frames.flush();
}

/**
 * Makes a data directory in the empty folder `dir` from fixed seeds: two meters and the point derived from them. It has
 * two closed windows, an open window, a clock event, refused messages, a discontinuity and an ack. This function, with
 * the code of its first commit, made the folder fixtures/gateway-v1/data.
 */
export async function makeGatewayDirectory(dir: string): Promise<void> {
  const keys = new KeyStore(nodeDisk, join(dir, 'keys'), new Random(1, 'gateway-v1'));
  await keys.gateway(true);
  const keyed: MeterKey[] = [];
  for (const { name, serial } of METERS)
    keyed.push(await keys.meter(name, { manufacturer: 'Eastron', model: 'SDM630', serial }, true));
  const [pv, house] = keyed as [MeterKey, MeterKey];
  const home = await keys.point('home', pv.meterId, house.meterId, true);
  await nodeDisk.makeDir(join(dir, 'state'));
  const time = new VirtualClock({ startAtMs: START_MS });
  const { spool } = await openSpool(nodeDisk, join(dir, 'spool'), time, () => {}, SEGMENT_BYTES);
  const meters = keyed.map((key) => logOf(dir, key, spool, time));
  for (const [i, { journal, key, start }] of meters.entries()) {
    const { role, source, serial } = METERS[i] ?? METERS[0];
    await journal.enrol((seq) => enrolmentOf(key, seq, role, source));
    await start();
    await journal.identified(serial);
  }
  const point = logOf(dir, home, spool, time);
  await point.journal.enrol((seq) => enrolmentOf(home, seq, Role.point, Source.solar));
  await point.start();
  await derivePoint(point, await readMeters(meters, time));
  await meters[0]?.journal.event(EventCode.clockStepped, { value: 90_000n });
  await meters[1]?.journal.declareRefused([{ first: 4n, last: 5n }]);
  await meters[1]?.journal.registers.break(1, { importWh: 1_660n, exportWh: 2_000n }, { importWh: 0n, exportWh: 0n });
  await keepRest(dir, meters, time);
  await spool.close();
}
