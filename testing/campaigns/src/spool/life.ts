import {
  asMeterId,
  asWindow,
  fromHex,
  type MeterId,
  type MeterWatermark,
  type Signer,
  toHex,
} from '@gridtokenx/protocol';
import type { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { bytesOf } from '#edge/adapters/spool/segment.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import type { LostSeqs, MeterSample, Spool } from '#edge/domain/ports.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import type { MeterState } from '#edge/domain/signing/meter-state.js';
import { openFloor, RecoveryScan } from '#edge/domain/signing/recovery.js';
import { readState, storeState, usableState } from '#edge/wiring/states.js';
import { payloadOfSigStructure } from '../disk/world.js';
import type { Ledger } from './ledger.js';
import { rules } from './rules.js';

export const START_MS = Date.UTC(2026, 0, 1, 9, 0);
export const SPOOL_DIR = '/spool';
const NETWORK = fromHex('0102030405060708');
/** Five records to a segment, and room for so many of them. */
export const SEGMENT_BYTES = bytesOf(5);
export const SPOOL_BYTES = 4 * SEGMENT_BYTES;
const METERS = [1, 2].map((i) => new Uint8Array(16).fill(i));
export const METER_IDS: readonly MeterId[] = METERS.map((id) => asMeterId(id));
const HASHES = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16) };
export const statePathOf = (id: MeterId): string => `/state/${id}.json`;
/** Timers that one step waits for, at most: the back-off of a failing disk. */
const MAX_TIMERS = 60;

/** One step of a life; every step may be cut. */
export interface Step {
  readonly kind: 'reading' | 'event' | 'close' | 'ack' | 'read' | 'trim' | 'scrub';
  readonly meter: number;
  /** Part of what waits that an ack covers, 0 to 1. */
  readonly part: number;
}

export interface LifeMeter {
  readonly id: MeterId;
  /** Null where nothing tells which seqs were used. */
  readonly journal: MeterJournal | null;
}

/** One run of the gateway's spool and journals on a disk. */
export interface Life {
  readonly time: VirtualClock;
  readonly disk: CrashDisk;
  readonly spool: Spool;
  readonly meters: readonly LifeMeter[];
  /** Says which states were made again. */
  readonly notes: readonly string[];
}

/** Opens spool, states and journals, and signs the first messages of a run. Rejects for a refused start. */
export async function beginLife(disk: CrashDisk, ledger: Ledger, atMs: number): Promise<Life> {
  const time = new VirtualClock({ startAtMs: atMs });
  const states = await Promise.all(METER_IDS.map((id) => readState(disk, statePathOf(id))));
  const scan = new RecoveryScan({
    floor: (id) => {
      const found = states[METER_IDS.indexOf(id)];
      return found ? openFloor(found.state) : 0n;
    },
  });
  const { spool, damage } = await openPatiently(disk, time, scan);
  const notes: string[] = [];
  const meters: LifeMeter[] = [];
  for (const [at, id] of METER_IDS.entries()) {
    const found = states[at];
    if (!found) throw new RangeError('a meter without a state');
    const recovered = scan.result(id);
    const { state, note } = usableState(`m${at}`, found, recovered, ledger.seen(id));
    if (note !== null) notes.push(note);
    const identity = { networkId: NETWORK, meterId: METERS[at] ?? new Uint8Array(16) };
    const journal = state && new MeterJournal(identity, state, recovered, portsOf({ disk, time, spool, ledger, id }));
    meters.push({ id, journal });
    if (!journal) continue;
    const start = { ...HASHES, storedThrough: ledger.acknowledged(id), tornRecords: Math.ceil(damage.tornBytes / 187) };
    // A start on a failing disk is tried again, as the gateway does.
    for (let tries = 0; tries < 20 && !disk.isOff; tries++) {
      const isDone = await driven(disk, time, journal.start(recovered, start));
      if (isDone) break;
    }
  }
  return { time, disk, spool, meters, notes };
}

/** Lists the spool again while the disk fails, as a supervisor starts the process again. */
async function openPatiently(disk: CrashDisk, time: VirtualClock, scan: RecoveryScan) {
  for (let tries = 0; ; tries++) {
    try {
      return await openSpool(disk, SPOOL_DIR, time, scan, SEGMENT_BYTES, { reserveBytes: 400 });
    } catch (error) {
      if (disk.isOff || tries > 10) throw error;
    }
  }
}

interface JournalWorld {
  readonly disk: CrashDisk;
  readonly time: VirtualClock;
  readonly spool: Spool;
  readonly ledger: Ledger;
  readonly id: MeterId;
}

function portsOf({ disk, time, spool, ledger, id }: JournalWorld) {
  const signer: Signer = {
    publicKey: new Uint8Array(32),
    sign: (bytes) => {
      ledger.signed(toHex(payloadOfSigStructure(bytes)));
      return new Uint8Array(64).fill(7);
    },
  };
  const stored = (next: MeterState) => (rules.reservation ? next : { ...next, reservedThrough: 0n });
  return {
    signer,
    spool,
    readingClock: time.reading,
    counters: { add: () => {} },
    store: (next: MeterState) => storeState(disk, spool, statePathOf(id), stored(next)),
    committed: ledger.committed.bind(ledger),
  };
}

/** Lets time pass until a call settles or the power fails. Returns true where it succeeded. */
export async function driven(disk: CrashDisk, time: VirtualClock, call: Promise<unknown>): Promise<boolean> {
  let outcome: boolean | null = null;
  call.then(
    () => {
      outcome = true;
    },
    () => {
      outcome = false;
    },
  );
  for (let timers = 0; timers < MAX_TIMERS && outcome === null && !disk.isOff; timers++) {
    for (let turn = 0; turn < 6 && outcome === null && !disk.isOff; turn++) await time.settle();
    if (outcome === null && !disk.isOff && time.nextDueAtMs !== null) await time.advance(time.nextDueAtMs);
  }
  return outcome === true;
}

const sampleAt = (time: VirtualClock, wh: number): MeterSample => ({
  timeMs: time.reading.nowMs(),
  steadyMs: time.reading.steadyMs(),
  uncertaintyMs: 10,
  importWh: BigInt(wh),
  exportWh: 0n,
  powerW: null,
  voltageDv: null,
  frequencyChz: null,
  raw: Uint8Array.of(1),
  resolutionWh: 1n,
  against: [],
});

/** Plays one step; returns once it settled, or the power is off. */
export async function playStep(life: Life, ledger: Ledger, step: Step): Promise<void> {
  const { disk, time, spool } = life;
  if (step.kind === 'trim') {
    const safe = (id: MeterId) => ledger.safeThrough(life, id);
    const declare = async (lost: readonly LostSeqs[]) => {
      for (const { meterId, first, last } of rules.declaration ? lost : []) {
        ledger.thins(meterId, first, last);
        const acknowledged = ledger.acknowledged(meterId);
        const journal = life.meters.find(({ id }) => id === meterId)?.journal;
        await journal?.declareThinned(first > acknowledged ? first : acknowledged + 1n, last);
      }
    };
    await driven(disk, time, spool.trim(SPOOL_BYTES, safe, declare));
    await declareLost(life, ledger);
    return;
  }
  if (step.kind === 'scrub') {
    await driven(disk, time, spool.scrub());
    await declareLost(life, ledger);
    return;
  }
  const meter = life.meters[step.meter];
  if (!meter) return;
  if (step.kind === 'ack') ledger.acknowledge(spool, meter.id, step.part);
  if (step.kind === 'read') await driven(disk, time, spool.read(meter.id, ledger.acknowledged(meter.id) + 1n, 50));
  const { journal } = meter;
  if (!journal) return;
  if (step.kind === 'reading') {
    await time.advance(180_000);
    await driven(disk, time, journal.reading(sampleAt(time, ledger.nextWh()), true));
  }
  if (step.kind === 'event') await driven(disk, time, journal.event(11));
  if (step.kind === 'close') await driven(disk, time, journal.closeDue(time.reading.nowMs()));
}

/** Declares what the spool lost, as the gateway does. */
export async function declareLost(life: Life, ledger: Ledger): Promise<void> {
  for (const { meterId, last, reason } of life.spool.takeLost()) {
    const journal = life.meters.find(({ id }) => id === meterId)?.journal;
    const from = ledger.acknowledged(meterId) + 1n;
    if (journal && rules.declaration) await driven(life.disk, life.time, journal.declareGone(from, last, reason));
  }
}

export const NO_MARK: MeterWatermark = { storedThrough: 0n, highestSeen: 0n, highestWindow: asWindow(0) };
