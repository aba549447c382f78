import {
  accountDiscriminator,
  accountSizes,
  decodeMeter,
  type Meter,
  NO_SLOT,
  programIds,
  Status,
} from '@gridtokenx/chain-client';
import { base58Encode, Role, toHex } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type { Logger, MeterRecord, RealClock, Registry } from '../../ports.js';
import { ask } from './node.js';

/** Calls that come sooner after the last answer share it. */
const REFRESH_AT_MOST_EVERY_MS = 300;

const STATUS: Readonly<Record<number, MeterRecord['status']>> = {
  [Status.active]: 'active',
  [Status.suspended]: 'suspended',
  [Status.closed]: 'closed',
};

/** A Meter account as the oracle's domain knows it. */
export function toRecord(meter: Meter): MeterRecord {
  // Production and consumption meters are evidence, whatever an account says.
  const hasSlot = meter.slot !== NO_SLOT && meter.role === Role.point;
  const hadKey = meter.previousKey.toBytes().some((byte) => byte !== 0);
  return {
    meterId: toHex(meter.meterId),
    owner: meter.owner.toBase58(),
    key: meter.deviceKey.toBytes(),
    ...(hadKey ? { previousKey: meter.previousKey.toBytes(), previousKeyLastWindow: meter.previousKeyLastWindow } : {}),
    signer: meter.signerLevel,
    role: meter.role as Role,
    zone: meter.zone,
    page: hasSlot ? meter.page : null,
    slot: hasSlot ? meter.slot : null,
    importBaselineWh: meter.baselineImportWh,
    exportBaselineWh: meter.baselineExportWh,
    importCarriedWh: meter.carriedImportWh,
    exportCarriedWh: meter.carriedExportWh,
    exportLimitW: meter.exportLimitW,
    importLimitW: meter.importLimitW,
    enrolmentWindow: meter.enrolmentWindow,
    firstWindow: meter.firstValidWindow,
    keyEpoch: meter.keyEpoch,
    source: meter.source,
    status: STATUS[meter.status] ?? 'suspended',
    registerStepWh: meter.registerStepWh,
  };
}

/**
 * Returns the records by meter_id. A record that the utility has not confirmed is none yet. Should two zones have one id, the
 * record that was confirmed first speaks, whatever a later zone says.
 */
function byId(meters: readonly Meter[]): ReadonlyMap<string, MeterRecord> {
  const confirmed = meters
    .filter((meter) => meter.confirmedWindow !== 0)
    .sort((a, b) => a.confirmedWindow - b.confirmedWindow || a.zone - b.zone);
  const records = new Map<string, MeterRecord>();
  for (const meter of confirmed) {
    const record = toRecord(meter);
    if (!records.has(record.meterId)) records.set(record.meterId, record);
  }
  return records;
}

/** The registry program's meters, read at finalised commitment and kept in memory. */
export class RpcRegistry implements Registry {
  readonly #connection: Connection;
  readonly #clock: RealClock;
  readonly #logger: Logger;
  /** Called after each answer. */
  onFetched: () => void = () => {};
  #meters: ReadonlyMap<string, MeterRecord> = new Map();
  #asOf = { slot: 0, fetchedAtMs: 0 };
  #underWay: Promise<void> | null = null;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;
  #isFailing = false;

  constructor(connection: Connection, clock: RealClock, logger: Logger) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
  }

  get asOf(): { slot: number; fetchedAtMs: number } {
    return this.#asOf;
  }
  meter(meterId: string): MeterRecord | undefined {
    return this.#meters.get(meterId);
  }
  meters(): readonly MeterRecord[] {
    return [...this.#meters.values()];
  }

  refresh(): Promise<void> {
    if (this.#underWay) return this.#underWay;
    if (this.#clock.monotonic() - this.#answeredAtMs < REFRESH_AT_MOST_EVERY_MS) return Promise.resolve();
    this.#underWay = this.#fetch().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /** Fetches now and then every `ms`, until `stop`. */
  poll(ms: number): void {
    const again = () => {
      this.#cancel = this.#clock.after(
        ms,
        () =>
          void this.refresh()
            .catch(() => {})
            .then(again),
      );
    };
    this.refresh()
      .catch(() => {})
      .then(again);
  }
  stop(): void {
    this.#cancel?.();
    this.#cancel = () => {};
  }

  async #fetch(): Promise<void> {
    const fetchedAtMs = this.#clock.now();
    try {
      const { context, value } = await ask(
        'reading the registry',
        this.#connection.getProgramAccounts(programIds.registry, {
          commitment: 'finalized',
          withContext: true,
          filters: [
            { dataSize: accountSizes.Meter },
            { memcmp: { offset: 0, bytes: base58Encode(accountDiscriminator('Meter')) } },
          ],
        }),
      );
      this.#meters = byId(value.map(({ account }) => decodeMeter(account)));
      this.#asOf = { slot: context.slot, fetchedAtMs };
      this.#answeredAtMs = this.#clock.monotonic();
      this.#isFailing = false;
      this.onFetched();
    } catch (error) {
      if (!this.#isFailing)
        this.#logger.warn({ err: String(error) }, 'the registry cannot be read: the last state holds');
      this.#isFailing = true;
      throw error;
    }
  }
}
