import { asMeterId, type MeterId, type Reading, Reason as Reasons } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/runtime/core';
import type { Admitted } from '../../domain/intake/admit.js';
import type { AckContent, CommitResult, Ledger, ReceivedMessage, Waiting } from '../../domain/intake/ports.js';
import { isSeriesTime } from '../../domain/live/series-write.js';
import type { MeterRecord, Registry, SeriesRow } from '../../domain/ports.js';
import { add, type Budget, type Effects, noEffects } from '../../domain/verdicts/effects.js';
import type { Judging } from '../../domain/verdicts/judging.js';
import type { Incoming, StoredMessage } from '../../domain/verdicts/ports.js';
import { Rejudging } from '../../domain/verdicts/rejudging.js';
import { termsOf } from '../../domain/verdicts/rotation.js';
import { Streams } from '../../domain/verdicts/streams.js';
import { VERIFIED_CODE } from '../../domain/verdicts/verdict.js';
import { tellGateway } from './acks.js';
import type { Database } from './database.js';
import { OutboxWaiting } from './outbox-waiting.js';
import { Points } from './points.js';
import { Rejects } from './rejects.js';
import { blobSeq, messageRow, seqBlob } from './rows.js';
import { Store } from './store.js';

const ACK_TIME_RESERVE_MS = 10_000;
const LAST_SEEN_STEP_MS = 60_000;

interface StreamGroup {
  readonly meter: MeterId;
  readonly incoming: Incoming[];
  /** By gateway. */
  readonly pairs: Map<number, ReceivedMessage>;
}

/**
 * The ledger on SQLite. `onStatements` is called after a commit that changed which statements are accepted.
 */
export class SqliteLedger implements Ledger {
  readonly id: Uint8Array;
  readonly #database: Database;
  readonly #registry: Registry;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #points: Points;
  readonly #rejudging: Rejudging;
  readonly #rejects: Rejects;
  readonly #waiting: OutboxWaiting;
  readonly #sql;
  readonly #onStatements: () => void;
  readonly #gateways = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  readonly #stepsAtATime: number;
  #ackTime = 0;
  #ackReserved = 0;

  constructor(database: Database, registry: Registry, randomness: Random, onStatements: () => void, judging: Judging) {
    this.#stepsAtATime = judging.stepsAtATime;
    this.#database = database;
    this.#registry = registry;
    this.#onStatements = onStatements;
    this.#store = new Store(database.sqlite);
    this.#rejects = new Rejects(database.sqlite, registry, this.#store);
    this.#waiting = new OutboxWaiting(database, registry);
    this.#points = new Points(database.sqlite, registry, judging);
    this.#streams = new Streams(this.#store, this.#points, judging);
    this.#rejudging = new Rejudging(this.#store, this.#streams, this.#points, registry);
    this.#sql = statements(database);
    this.id = this.#loadId(randomness);
    const reserved = this.#sql.getMeta.get('ack_time')?.value as Uint8Array | undefined;
    this.#ackReserved = reserved ? Number(blobSeq(reserved)) : 0;
    this.#ackTime = this.#ackReserved;
  }

  #loadId(randomness: Random): Uint8Array {
    const found = this.#sql.getMeta.get('ledger_id');
    if (found) return found.value as Uint8Array;
    const id = randomness.bytes(16);
    this.#database.transaction(() => this.#sql.setMeta.run('ledger_id', id));
    return id;
  }

  take(arrivals: readonly ReceivedMessage[], nowMs: number): CommitResult {
    return this.#commit(nowMs, (effects, budget) => {
      const { verdicts } = effects;
      const byStream = new Map<string, StreamGroup>();
      for (const arrival of arrivals) {
        const gateway = this.#gateway(arrival.gateway);
        if ('rejected' in arrival.admission) {
          this.#rejects.keep(gateway, arrival, arrival.admission.rejected, verdicts);
          continue;
        }
        const admitted = this.#asRegistered(arrival.admission.admitted);
        this.#rejects.withdraw(gateway, admitted.hash);
        const name = `${admitted.meter.meterId}/${keyName(admitted.key)}`;
        let group = byStream.get(name);
        if (!group) {
          group = { meter: admitted.meter.meterId, incoming: [], pairs: new Map() };
          byStream.set(name, group);
        }
        group.incoming.push({ admitted, arrivedAtMs: arrival.arrivedAtMs, receivedAtMs: arrival.receivedAtMs });
        group.pairs.set(gateway, arrival);
      }
      const present = { nowMs, registryFetchedAtMs: this.#registry.asOf.fetchedAtMs };
      const share = Math.ceil(budget.left / Math.max(1, byStream.size));
      for (const { meter, incoming, pairs } of byStream.values()) {
        const own: Budget = { left: share };
        const duplicates = this.#streams.absorb(incoming, present, effects, own);
        budget.left = Math.min(budget.left, own.left < 0 ? 0 : budget.left);
        this.#rejudging.noteInputs(incoming, effects);
        if (duplicates > 0) {
          this.#store.count(meter, 0, Reasons.duplicate, duplicates);
          add(verdicts, Reasons.duplicate, duplicates);
        }
        for (const [gateway, arrival] of pairs) {
          this.#link(gateway, meter, arrival.receivedAtMs, duplicates < incoming.length);
        }
      }
    });
  }

  /** Judges a batch by one state of the registry, which may be newer than the one at admission. */
  #asRegistered(admitted: Admitted): Admitted {
    const meter = this.#registry.meter(admitted.meter.meterId);
    return meter && meter !== admitted.meter && termsOf(meter, admitted.key) ? { ...admitted, meter } : admitted;
  }

  reconsider(nowMs: number): CommitResult {
    let gateways: Uint8Array[] = [];
    let committed = () => {};
    const taken = this.#commit(nowMs, (effects, budget) => {
      ({ gateways, committed } = this.#rejudging.reconsider(nowMs, effects, budget));
    });
    committed();
    return { ...taken, gateways: [...taken.gateways, ...gateways] };
  }

  #commit(nowMs: number, work: (effects: Effects, budget: Budget) => void): CommitResult {
    const effects = noEffects();
    let gateways: Uint8Array[] = [];
    let hasMore = false;
    const budget: Budget = { left: this.#stepsAtATime };
    try {
      this.#database.transaction(() => {
        const fresh = this.#points.sync();
        work(effects, budget);
        if (fresh.length + effects.inputs.size > 0)
          gateways = this.#rejudging.followInputs(fresh, nowMs, effects, budget);
        hasMore = budget.left <= 0 && this.#store.dirty(-1).length > 0;
        this.#store.saveCounts();
      });
    } catch (error) {
      this.#streams.forget();
      this.#points.forget();
      this.#store.forgetCounts();
      this.#rejects.forget();
      this.#gateways.clear();
      this.#seen.clear();
      throw error;
    }
    if (effects.statementsChanged) this.#onStatements();
    return {
      verified: effects.verified.map(({ meter, row }) => ({ meter, reading: row.payload as Reading })),
      verdicts: effects.verdicts,
      gateways,
      hasMore,
    };
  }

  #gateway(key: Uint8Array): number {
    const name = keyName(key);
    const known = this.#gateways.get(name);
    if (known !== undefined) return known;
    this.#sql.addGateway.run(key);
    const id = Number(this.#sql.gateway.get(key)?.id);
    this.#gateways.set(name, id);
    return id;
  }

  /** Notes which gateway speaks for a meter: one that brought something new, or the first one. */
  #link(gateway: number, meter: MeterId, nowMs: number, isFresh: boolean): void {
    const name = `${gateway}/${meter}`;
    const last = this.#seen.get(name);
    if (last !== undefined && (!isFresh || nowMs - last < LAST_SEEN_STEP_MS)) return;
    this.#sql.link.run(gateway, meter, isFresh ? nowMs : 0);
    this.#seen.set(name, isFresh ? nowMs : 0);
  }

  waiting(limit: number): Waiting[] {
    return this.#rejects.waiting(limit);
  }

  tell(gateway: Uint8Array): AckContent {
    return tellGateway(this.#database.sqlite, this.#store, this.#streams, this.#registry, gateway);
  }

  gateways(): Uint8Array[] {
    return this.#sql.gateways.all().map((row) => row.key as Uint8Array);
  }

  nextAckTime(realNowMs: number): number {
    const time = Math.max(this.#ackTime + 1, realNowMs);
    if (time >= this.#ackReserved) {
      const reserved = time + ACK_TIME_RESERVE_MS;
      this.#database.transaction(() => this.#sql.setMeta.run('ack_time', seqBlob(BigInt(reserved))));
      this.#ackReserved = reserved;
    }
    this.#ackTime = time;
    return time;
  }

  outbox(limit: number): { through: number; points: SeriesRow[] } {
    // Before the first answer nothing is known of any meter.
    if (this.#registry.asOf.fetchedAtMs === 0) return { through: 0, points: [] };
    this.#waiting.bringBack(limit);
    for (;;) {
      const points: SeriesRow[] = [];
      const unknown: { message: number; meter: MeterId }[] = [];
      let through = 0;
      for (const raw of this.#sql.outbox.all(limit)) {
        const meter = this.#registry.meter(asMeterId(String(raw.meter)));
        // Rows of a meter without a record are cleared, too: the registry may show the meter again later.
        if (meter) points.push(pointOf(messageRow(raw), meter));
        else unknown.push({ message: Number(raw.id), meter: asMeterId(String(raw.meter)) });
        through = Number(raw.number);
      }
      this.#waiting.add(unknown);
      if (points.length > 0 || through === 0) {
        return { through, points: points.filter(({ timeMs }) => isSeriesTime(timeMs)) };
      }
      this.clearOutbox(through);
    }
  }

  clearOutbox(through: number): void {
    this.#database.transaction(() => this.#sql.clearOutbox.run(through));
  }
}

/** The name of a key in maps; keys are few and their objects are kept, messages are many. */
function keyName(key: Uint8Array): string {
  let name = KEY_NAMES.get(key);
  if (name === undefined) {
    name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64');
    KEY_NAMES.set(key, name);
  }
  return name;
}
const KEY_NAMES = new WeakMap<Uint8Array, string>();

function pointOf({ payload, verdict }: StoredMessage, meter: MeterRecord): SeriesRow {
  const reading = payload as Reading;
  const { importWh, exportWh, powerW, voltageDv, frequencyChz, quality, seq } = reading;
  return {
    timeMs: Number(reading.timeMs),
    meterId: meter.meterId,
    zone: meter.zone,
    role: meter.role,
    source: meter.source ?? 0,
    importWh,
    exportWh,
    powerW,
    voltageDv,
    frequencyChz,
    quality,
    seq,
    isVerified: verdict === VERIFIED_CODE,
  };
}

function statements({ sqlite }: Database) {
  const one = (text: string) => sqlite.prepare(text);
  return {
    getMeta: one('SELECT value FROM meta WHERE key = ?'),
    setMeta: one('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)'),
    addGateway: one('INSERT OR IGNORE INTO gateways (key) VALUES (?)'),
    gateway: one('SELECT id FROM gateways WHERE key = ?'),
    gateways: one('SELECT key FROM gateways'),
    link: one(
      'INSERT INTO gateway_meters (gateway, meter, last_ms) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)',
    ),
    outbox: one(
      'SELECT o.id AS number, m.*, s.meter FROM outbox o JOIN messages m ON m.id = o.message JOIN streams s ON s.id = m.stream ORDER BY o.id LIMIT ?',
    ),
    clearOutbox: one('DELETE FROM outbox WHERE id <= ?'),
  };
}
