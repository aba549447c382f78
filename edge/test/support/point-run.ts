import {
  asMeterId,
  asWindow,
  decodePayload,
  ed25519Signer,
  Kind,
  type Payload,
  type PayloadToEncode,
  pointId,
  Quality,
  type Statement,
  sha256,
  toHex,
} from '@gridtokenx/protocol';
import type { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '../../src/adapters/spool/spool.js';
import type { MeterSample } from '../../src/domain/ports.js';
import { ConnectionPoint, type Fate, type Side } from '../../src/domain/signing/connection-point.js';
import { MeterJournal } from '../../src/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE } from '../../src/domain/signing/meter-state.js';
import { RecoveryScan } from '../../src/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '../../src/wiring/sizes.js';
import { NETWORK } from './messages.js';

const WINDOW_MS = 900_000;
const START = Date.UTC(2026, 0, 1, 9, 0);
export const FIRST = START / WINDOW_MS;
export const idOf = (name: string) => sha256(new TextEncoder().encode(name)).slice(0, 16);
export const IDS = { production: idOf('pv'), consumption: idOf('house') };
export const POINT = pointId(IDS.production, IDS.consumption);
const HASHES = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16) };

/** Builds the statement that one of the two meters passes to the point. */
export const inputOf = (window: number, importWh: number, exportWh: number) => ({
  seq: BigInt(window),
  window: asWindow(window),
  importWh: BigInt(importWh),
  exportWh: BigInt(exportWh),
  quality: Quality.gatewaySigned,
  timeUncertaintyMs: 10,
});

export interface Published {
  readonly meter: string;
  readonly payload: Payload;
  readonly message: Uint8Array;
}

const enrolmentOf = (seq: bigint): PayloadToEncode => ({
  kind: Kind.enrolment,
  networkId: NETWORK,
  meterId: POINT,
  seq,
  owner: new Uint8Array(32),
  importWh: 0n,
  exportWh: 0n,
  zone: 1,
  source: 1,
  role: 0,
  deviceSigned: false,
  keyEpoch: 0,
  window: asWindow(FIRST),
});

const sampleOf = (side: Side, timeMs: number, importWh: number, exportWh: number): MeterSample => ({
  timeMs,
  steadyMs: timeMs,
  resolutionWh: 1n,
  against: [],
  uncertaintyMs: side === 'production' ? 10 : 30,
  importWh: BigInt(importWh),
  exportWh: BigInt(exportWh),
  powerW: null,
  voltageDv: null,
  frequencyChz: null,
  raw: new Uint8Array(1),
});

/**
 * Opens the journals of both meters and of the point from the disk; `feed` gets each committed statement of a meter.
 */
async function openJournals(
  disk: CrashDisk,
  time: VirtualClock,
  published: Published[],
  spoil: boolean,
  feed: (side: Side, statement: Statement) => void,
) {
  const pathOf = (id: Uint8Array) => `/state/${toHex(id)}.json`;
  const load = async (id: Uint8Array) => {
    const text = await disk.read(pathOf(id));
    return text ? decodeState(Buffer.from(text).toString()) : FRESH_STATE;
  };
  const pointState = await load(POINT);
  const from = pointState.point?.window ?? asWindow(0);
  const sides = Object.values(IDS).map((id) => asMeterId(id));
  const scan = new RecoveryScan({ inputsFrom: (id) => (sides.includes(id) ? from : undefined) });
  const { spool, damage } = await openSpool(disk, '/spool', time, (message) => scan.visit(message), SEGMENT_BYTES);
  const journalOf = async (id: Uint8Array, seed: number, state: typeof FRESH_STATE) =>
    new MeterJournal({ networkId: NETWORK, meterId: id }, state, scan.result(asMeterId(id)), {
      signer: ed25519Signer(new Uint8Array(32).fill(seed)),
      spool,
      readingClock: time.reading,
      counters: { add: () => {} },
      store: ({ point: at, ...next }) => {
        // The control: the production meter's stored register is reset.
        const kept = at && spoil ? { ...at, production: { importWh: 0n, exportWh: 0n } } : at;
        return disk.replace(pathOf(id), Buffer.from(encodeState({ ...next, point: kept })));
      },
      committed: ({ meterId: meter, kind, payload: bytes, bytes: message }) => {
        const payload = decodePayload(bytes);
        published.push({ meter, payload, message });
        for (const side of ['production', 'consumption'] as const)
          if (kind === Kind.statement && meter === toHex(IDS[side])) feed(side, payload as Statement);
      },
    });
  const journals = {
    production: await journalOf(IDS.production, 1, await load(IDS.production)),
    consumption: await journalOf(IDS.consumption, 2, await load(IDS.consumption)),
  };
  const journal = await journalOf(POINT, 3, pointState);
  const recovered = scan.result(asMeterId(POINT));
  return { spool, damage, scan, journals, journal, recovered };
}

/** Starts a run of a gateway with two meters and their point on a disk; adds its messages to `published`. */
export async function startRun(disk: CrashDisk, published: Published[], spoil = false) {
  const time = new VirtualClock({ startAtMs: START });
  let point: ConnectionPoint | null = null;
  const fates = new Map<string, Fate>();
  const opened = await openJournals(disk, time, published, spoil, (side, statement) => point?.add(side, statement));
  const { spool, damage, scan, journals, journal, recovered } = opened;
  if (!recovered.enrolment) {
    await journal.enrol(enrolmentOf);
    await spool.close();
    return startRun(disk, published, spoil);
  }
  const named = (side: Side) => ({ id: asMeterId(IDS[side]), name: side === 'production' ? 'pv' : 'house' });
  point = new ConnectionPoint({
    name: 'home',
    journal,
    recovered,
    meters: { production: named('production'), consumption: named('consumption') },
    inputs: {
      production: scan.result(asMeterId(IDS.production)).inputs,
      consumption: scan.result(asMeterId(IDS.consumption)).inputs,
    },
    fate: (meter, seq) => fates.get(`${meter}/${seq}`) ?? fates.get('*') ?? 'acknowledged',
    clock: time,
    logger: quietLog,
  });
  const tornRecords = Math.ceil(damage.tornBytes / 187);
  for (const [id, one] of [
    ...Object.entries(IDS).map(([side, id]) => [id, journals[side as Side]] as const),
    [POINT, journal] as const,
  ])
    await one.start(scan.result(asMeterId(id)), { ...HASHES, storedThrough: 0n, tornRecords });
  const stop = new AbortController();
  let mayClose = true;
  const running = point.run(() => mayClose, stop.signal);
  return {
    journals,
    journal,
    point,
    fates,
    time,
    spool,
    gate: (open: boolean) => {
      mayClose = open;
    },
    /** Takes the poll before a boundary, and the statement after it. */
    async state(side: Side, window: number, importWh: number, exportWh: number, leadMs = 5_000) {
      const end = (window + 1) * WINDOW_MS;
      const sample = sampleOf(side, end - leadMs, importWh, exportWh);
      await journals[side].reading(sample, true);
      await journals[side].closeDue(end);
    },
    async stop() {
      stop.abort();
      await running;
      await spool.close();
    },
  };
}

export const statementsOf = (published: readonly Published[], id: Uint8Array = POINT) =>
  published.flatMap(({ meter, payload }) => (meter === toHex(id) && payload.kind === Kind.statement ? [payload] : []));
export const lines = (published: readonly Published[]) =>
  statementsOf(published).map(({ window, importWh, exportWh, quality }) => [
    window - FIRST,
    Number(importWh),
    Number(exportWh),
    quality,
  ]);
export const GOOD = Quality.gatewaySigned | Quality.derived;
