import {
  accountDiscriminator,
  accountSizes,
  decodeMeter,
  decodeZone,
  type Meter,
  NO_SLOT,
  programIds,
  Status,
} from '@gridtokenx/chain-client';
import { ask } from '@gridtokenx/chain-sender/rpc';
import { asMeterId, asPublicKeyText, asWindow, base58Encode, type MeterId, Role } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Connection, PublicKey } from '@solana/web3.js';
import { MeterMemory } from '../../domain/intake/meter-memory.js';
import type { MeterRecord, Registry } from '../../domain/ports.js';

/** Calls that come sooner after the last answer share it. */
const REFRESH_AT_MOST_EVERY_MS = 300;
/** After a failure, and while the registry lacks meters, messages that wait must not ask it without end. */
const REFRESH_WHILE_UNWELL_MS = 3_000;
/** A state that only says "read": older than every message, so that no verdict turns final by it. */
const READ_BUT_NOT_TRUSTED_MS = 1;

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
    meterId: asMeterId(meter.meterId),
    owner: asPublicKeyText(meter.owner.toBytes()),
    key: meter.deviceKey.toBytes(),
    ...(hadKey
      ? { previousKey: meter.previousKey.toBytes(), previousKeyLastWindow: asWindow(meter.previousKeyLastWindow) }
      : {}),
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
    enrolmentWindow: asWindow(meter.enrolmentWindow),
    firstWindow: asWindow(meter.firstValidWindow),
    keyEpoch: meter.keyEpoch,
    source: meter.source,
    status: STATUS[meter.status] ?? 'suspended',
    registerStepWh: meter.registerStepWh,
  };
}

/** Zones change rarely, and matter only while two of them have one meter_id. */
const ZONES_AT_MOST_EVERY_MS = 30_000;

/** Decides between records of several zones. */
interface Preference {
  /** Zones whose attestors in force include ours. */
  readonly ours: ReadonlySet<number>;
  readonly known: (meterId: MeterId) => MeterRecord | undefined;
}

/** The records with a meter_id, by hex. A record that the utility has not confirmed is none yet. */
function confirmed(meters: readonly Meter[]): Map<MeterId, Meter[]> {
  const byId = new Map<MeterId, Meter[]>();
  for (const meter of meters) {
    if (meter.confirmedWindow === 0) continue;
    const id = asMeterId(meter.meterId);
    const same = byId.get(id);
    if (same) same.push(meter);
    else byId.set(id, [meter]);
  }
  return byId;
}

/**
 * Returns the record that speaks for a meter_id. Any utility can confirm a record of an id that another zone has, so the zones that
 * this oracle attests come first, then records in force, then the zone that spoke so far, then the earlier confirmation.
 */
function speaker(id: MeterId, meters: readonly Meter[], { ours, known }: Preference): MeterRecord {
  const zone = known(id)?.zone;
  const rank = (meter: Meter) => [
    ours.has(meter.zone) ? 0 : 1,
    meter.status === Status.active || meter.status === Status.suspended ? 0 : 1,
    meter.zone === zone ? 0 : 1,
    meter.confirmedWindow,
    meter.zone,
  ];
  const before = (a: readonly number[], b: readonly number[]) => {
    const at = a.findIndex((value, i) => value !== b[i]);
    return (a[at] ?? 0) < (b[at] ?? 0);
  };
  const first = meters.reduce((best, meter) => (before(rank(meter), rank(best)) ? meter : best));
  return toRecord(first);
}

/** The registry program's meters, read at finalised commitment and kept in memory. */
export class RpcRegistry implements Registry {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Called after each answer. */
  onFetched: () => void = () => {};
  readonly #memory: MeterMemory;
  #asOf = { chainSlot: 0, fetchedAtMs: 0 };
  #underWay: Promise<void> | null = null;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #isPolling = false;
  #cancel = () => {};
  #failure: Error | null = null;

  readonly #attestor: PublicKey | null;
  #zones: { readonly ours: ReadonlySet<number>; readonly atMs: number } | null = null;

  /** `known`: meters that the ledger has heard of, hex. `attestor`: ours, whose zones come first; null where there is none. */
  constructor(
    connection: Connection,
    clock: Clock,
    logger: Logger,
    known: Iterable<MeterId>,
    attestor: PublicKey | null,
  ) {
    this.#attestor = attestor;
    this.#memory = new MeterMemory(known);
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
  }

  get asOf(): { chainSlot: number; fetchedAtMs: number } {
    return this.#asOf;
  }
  meter(meterId: MeterId): MeterRecord | undefined {
    return this.#memory.meters.get(meterId);
  }
  meters(): readonly MeterRecord[] {
    return [...this.#memory.meters.values()];
  }
  get problem(): string | null {
    return this.#memory.problem;
  }

  refresh(): Promise<void> {
    if (this.#underWay !== null) return this.#underWay;
    const isUnwell = this.#failure !== null || this.problem !== null;
    const pauseMs = isUnwell ? REFRESH_WHILE_UNWELL_MS : REFRESH_AT_MOST_EVERY_MS;
    if (this.#clock.monotonicMs() - this.#answeredAtMs < pauseMs) {
      return this.#failure ? Promise.reject(this.#failure) : Promise.resolve();
    }
    this.#underWay = this.#fetch().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /** Fetches now and then every `ms`, until `stop`. */
  poll(ms: number): void {
    const look = () => {
      this.refresh().then(again, again);
    };
    const again = () => {
      // Stopped during the fetch.
      if (!this.#isPolling) return;
      this.#cancel = this.#clock.after(ms, look);
    };
    this.#isPolling = true;
    look();
  }
  stop(): void {
    this.#isPolling = false;
    this.#cancel();
  }

  async #fetch(): Promise<void> {
    const fetchedAtMs = this.#clock.nowMs();
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
      const byId = confirmed(value.map(({ account }) => decodeMeter(account)));
      const isShared = [...byId.values()].some(({ length }) => length > 1);
      const ours = isShared ? await this.#zonesOfOurs() : new Set<number>();
      const preference = { ours, known: (id: MeterId) => this.#memory.meters.get(id) };
      const records = [...byId].map(([id, meters]) => speaker(id, meters, preference));
      this.#apply(records, context.slot, fetchedAtMs);
      this.#answeredAtMs = this.#clock.monotonicMs();
      this.#failure = null;
      this.onFetched();
    } catch (error) {
      if (!this.#failure)
        this.#logger.warn(
          { event: 'registry_unreadable', err: String(error) },
          'Cannot read the registry: the last state stays in force',
        );
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#answeredAtMs = this.#clock.monotonicMs();
      throw error;
    }
  }

  /** Zones whose attestors in force include ours. Throws `NodeUnavailable`. */
  async #zonesOfOurs(): Promise<ReadonlySet<number>> {
    const attestor = this.#attestor;
    if (!attestor) return new Set();
    const now = this.#clock.monotonicMs();
    if (this.#zones && now - this.#zones.atMs < ZONES_AT_MOST_EVERY_MS) return this.#zones.ours;
    const found = await ask(
      'reading the zones',
      this.#connection.getProgramAccounts(programIds.registry, {
        commitment: 'finalized',
        filters: [
          { dataSize: accountSizes.Zone },
          { memcmp: { offset: 0, bytes: base58Encode(accountDiscriminator('Zone')) } },
        ],
      }),
    );
    const zones = found.map(({ account }) => decodeZone(account));
    const isOurs = (keys: readonly PublicKey[]) => keys.some((key) => key.equals(attestor));
    const ours = new Set(zones.filter(({ attestors }) => isOurs(attestors)).map(({ zone }) => zone));
    this.#zones = { ours, atMs: now };
    return ours;
  }

  #apply(records: MeterRecord[], slot: number, fetchedAtMs: number): void {
    const before = this.problem;
    this.#memory.update(records);
    const { problem } = this;
    if (problem !== before) {
      const { forgotten } = this.#memory;
      if (problem) this.#logger.error({ event: 'registry_incomplete', forgotten: forgotten.length }, problem);
      else this.#logger.info({ event: 'registry_complete' }, 'The registry shows every known meter again');
    }
    if (problem === null) this.#asOf = { chainSlot: slot, fetchedAtMs };
    else if (this.#asOf.fetchedAtMs === 0) this.#asOf = { chainSlot: slot, fetchedAtMs: READ_BUT_NOT_TRUSTED_MS };
  }
}
