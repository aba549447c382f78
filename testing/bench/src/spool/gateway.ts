import { asMeterId, asPublicKeyText, fromHex, type MeterId, type Signer } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { AckTracker } from '#edge/domain/delivery/ack-tracker.js';
import { SpoolUpkeep } from '#edge/domain/delivery/spool-upkeep.js';
import type { Disk, MeterSample, Spool } from '#edge/domain/ports.js';
import type { SignedMessage } from '#edge/domain/signed-message.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import { FRESH_STATE } from '#edge/domain/signing/meter-state.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '#edge/wiring/sizes.js';
import { storeState } from '#edge/wiring/states.js';

export const ORACLE = asPublicKeyText(new Uint8Array(32).fill(1));

export interface BenchMeter {
  readonly id: MeterId;
  readonly journal: MeterJournal;
}

/** Spool, journals and upkeep of a gateway, without buses and without a broker. */
export interface BenchGateway {
  readonly spool: Spool;
  readonly meters: readonly BenchMeter[];
  readonly acks: AckTracker;
  readonly upkeep: SpoolUpkeep;
}

export interface BenchGatewayOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly meters: number;
  readonly spoolMaxBytes: number;
  readonly commitMs: number;
  readonly time: VirtualClock;
  /** Clock of commits. */
  readonly clock: Clock;
  readonly committed?: (message: SignedMessage) => void;
  /** Waits for a call; default: without moving the time. */
  readonly until?: (call: Promise<unknown>) => Promise<unknown>;
}

/** A signature that nobody checks: these benches measure disk and memory. */
const signer: Signer = { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64).fill(7) };
const HASHES = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16) };

export async function openBenchGateway(options: BenchGatewayOptions): Promise<BenchGateway> {
  const { disk, folder, time, clock, spoolMaxBytes, commitMs, committed = () => {}, until = (call) => call } = options;
  const scan = new RecoveryScan();
  await disk.makeDir(`${folder}/state`);
  const { spool } = await openSpool(disk, `${folder}/spool`, clock, scan, SEGMENT_BYTES, { commitMs });
  const meters: BenchMeter[] = [];
  for (let i = 1; i <= options.meters; i++) {
    const meterId = new Uint8Array(16).fill(i);
    const id = asMeterId(meterId);
    const recovered = scan.result(id);
    const journal = new MeterJournal({ networkId: fromHex('0102030405060708'), meterId }, FRESH_STATE, recovered, {
      ...{ signer, spool, readingClock: time.reading, counters: { add: () => {} }, committed, gapMs: 30_000 },
      store: (state) => storeState(disk, spool, `${folder}/state/${id}.json`, state),
    });
    await until(journal.start(recovered, { ...HASHES, storedThrough: 0n, tornRecords: 0 }));
    meters.push({ id, journal });
  }
  const acks = new AckTracker([ORACLE], 1);
  const upkeep = new SpoolUpkeep({ spool, spoolMaxBytes, acks, clock: time, log: quietLog });
  return { spool, meters, acks, upkeep };
}

export const sampleOf = (timeMs: number, steadyMs: number, uncertaintyMs: number | null, wh: bigint): MeterSample => ({
  ...{ timeMs, steadyMs, uncertaintyMs, importWh: wh, exportWh: wh / 2n },
  ...{ powerW: 1_000, voltageDv: 2_300, frequencyChz: 5_000, raw: Uint8Array.of(1, 2, 3, 4) },
  ...{ resolutionWh: 1n, against: [] },
});
