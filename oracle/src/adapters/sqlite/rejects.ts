import type { DatabaseSync } from 'node:sqlite';
import { asMeterId, asPublicKeyText, type MeterId, type Reason, Reason as Reasons } from '@gridtokenx/protocol';
import type { Rejected } from '../../domain/intake/admit.js';
import type { ReceivedMessage, Waiting } from '../../domain/intake/ports.js';
import { type Bucket, MAX_SAVED_REJECTS, REJECTS_PER_DAY, refilled } from '../../domain/intake/quota.js';
import type { Registry } from '../../domain/ports.js';
import { add } from '../../domain/verdicts/effects.js';
import type { CountPlace } from '../../domain/verdicts/ports.js';
import type { VerdictCode } from '../../domain/verdicts/verdict.js';
import { UNKNOWN_METER, WRONG_KEY } from './codes.js';
import { seqBlob } from './rows.js';
import type { Store } from './store.js';

/** Messages of no stream are kept as evidence up to this number for each gateway; their counters stay. */
const KEPT = 5_000;
const KEPT_BYTES = 256;
const PRUNED_AFTER = KEPT / 10;

/** The name under which a gateway's bad signatures are counted, among those of meters. */
export function countsOf(gateway: Uint8Array): CountPlace {
  return `gateway ${asPublicKeyText(gateway)}`;
}

/** Messages that belong to no stream: refused by themselves, or waiting for what the registry does not show yet. */
export class Rejects {
  readonly #registry: Registry;
  readonly #store: Store;
  readonly #sql;
  /** True for a gateway that may have rejects; absent: not read yet. */
  readonly #gateways = new Map<number, boolean>();
  /** How many a gateway brought since its last pruning. */
  readonly #sincePrune = new Map<number, number>();
  /** Counts the messages that a gateway may still bring; in memory, so a restart fills it up. */
  readonly #buckets = new Map<number, Bucket>();

  constructor(sqlite: DatabaseSync, registry: Registry, store: Store) {
    this.#registry = registry;
    this.#store = store;
    this.#sql = statements(sqlite);
  }

  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#gateways.clear();
  }

  /** Stores it, or counts it as a duplicate. Inside a transaction. */
  keep(gateway: number, arrival: ReceivedMessage, rejected: Rejected, verdicts: Map<VerdictCode, number>): void {
    const { verdict, hash, message, meterId, seq } = rejected;
    const counted = this.#countedAt(arrival, rejected);
    const before = this.#sql.rejectOf.get(gateway, hash);
    if (before) {
      if (before.settled === 1 || before.reason === verdict.code) {
        if (verdict.settled && before.settled === 0) this.#sql.settleReject.run(verdict.code, 1, Number(before.id));
        add(verdicts, Reasons.duplicate, 1);
        this.#store.count(before.counted as CountPlace, 0, Reasons.duplicate, 1);
        return;
      }
      this.#sql.settleReject.run(verdict.code, verdict.settled ? 1 : 0, Number(before.id));
      this.#store.count(before.counted as CountPlace, 0, Number(before.reason) as Reason, -1);
      this.#store.count(before.counted as CountPlace, 0, verdict.code, 1);
      add(verdicts, verdict.code, 1);
      return;
    }
    const bucket = refilled(
      this.#buckets.get(gateway) ?? null,
      arrival.receivedAtMs,
      REJECTS_PER_DAY,
      MAX_SAVED_REJECTS,
    );
    const isOver = bucket.left < 1;
    this.#buckets.set(gateway, isOver ? bucket : { ...bucket, left: bucket.left - 1 });
    if (isOver) {
      this.#store.count(counted, 0, Reasons.overQuota, 1);
      add(verdicts, Reasons.overQuota, 1);
      return;
    }
    this.#gateways.set(gateway, true);
    this.#sql.addReject.run(
      gateway,
      hash,
      message.slice(0, KEPT_BYTES),
      verdict.code,
      verdict.settled ? 1 : 0,
      meterId,
      seq === null ? null : seqBlob(seq),
      counted,
      arrival.arrivedAtMs,
      arrival.receivedAtMs,
    );
    this.#store.count(counted, 0, verdict.code, 1);
    add(verdicts, verdict.code, 1);
    const since = (this.#sincePrune.get(gateway) ?? 0) + 1;
    this.#sincePrune.set(gateway, since % PRUNED_AFTER);
    if (since >= PRUNED_AFTER) this.#sql.pruneRejects.run(gateway, gateway, KEPT);
  }

  /**
   * Where it is counted. Whoever signs badly in the name of a meter says nothing about that meter: it counts at the gateway
   * that brought it.
   */
  #countedAt({ gateway, topicMeter }: ReceivedMessage, { verdict, meterId }: Rejected): CountPlace {
    const isForged = verdict.code === Reasons.badSignature || verdict.code === Reasons.wrongKey;
    if (isForged) return countsOf(gateway);
    if (meterId !== null && this.#registry.meter(meterId)) return meterId;
    return topicMeter !== null && this.#registry.meter(topicMeter) ? topicMeter : '';
  }

  /** A message that was rejected for what the registry did not show yet, and is admitted now. */
  withdraw(gateway: number, hash: Uint8Array): void {
    let mayHave = this.#gateways.get(gateway);
    if (mayHave === undefined) {
      mayHave = this.#sql.anyReject.get(gateway) !== undefined;
      this.#gateways.set(gateway, mayHave);
    }
    if (!mayHave) return;
    const before = this.#sql.rejectOf.get(gateway, hash);
    if (!before) return;
    this.#sql.dropReject.run(Number(before.id));
    this.#store.count(before.counted as CountPlace, 0, Number(before.reason) as Reason, -1);
  }

  /** Returns rejects that a newer registry state may decide otherwise, oldest first. */
  // Of unknown meters only those that are known now: the others may stay unknown for good.
  waiting(limit: number): Waiting[] {
    const rows = this.#sql.waitingRejects.all(limit);
    const known = this.#sql.unknownMeters.all().filter(({ meter }) => this.#registry.meter(asMeterId(String(meter))));
    for (const { meter } of known) {
      if (rows.length < limit) rows.push(...this.#sql.ofMeter.all(asMeterId(String(meter)), limit - rows.length));
    }
    return rows.map((row) => ({
      gateway: row.key as Uint8Array,
      topicMeter: meterOf(row.counted),
      message: row.bytes as Uint8Array,
      meterId: row.meter === null ? null : asMeterId(String(row.meter)),
      reason: Number(row.reason) as Reason,
      arrivedAtMs: Number(row.arrived_ms),
      receivedAtMs: Number(row.received_ms),
    }));
  }
}

function statements(sqlite: DatabaseSync) {
  const one = (text: string) => sqlite.prepare(text);
  return {
    rejectOf: one('SELECT id, reason, settled, counted FROM rejects WHERE gateway = ? AND hash = ?'),
    anyReject: one('SELECT 1 FROM rejects WHERE gateway = ? LIMIT 1'),
    addReject: one(
      'INSERT INTO rejects (gateway, hash, bytes, reason, settled, meter, seq, counted, arrived_ms, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    settleReject: one('UPDATE rejects SET reason = ?, settled = ? WHERE id = ?'),
    dropReject: one('DELETE FROM rejects WHERE id = ?'),
    pruneRejects: one(
      'DELETE FROM rejects WHERE gateway = ? AND id <= (SELECT id FROM rejects WHERE gateway = ? ORDER BY id DESC LIMIT 1 OFFSET ?)',
    ),
    waitingRejects: one(
      `SELECT r.*, g.key FROM rejects r JOIN gateways g ON g.id = r.gateway WHERE r.settled = 0 AND r.reason = ${WRONG_KEY} ORDER BY r.id LIMIT ?`,
    ),
    unknownMeters: one(
      `SELECT DISTINCT meter FROM rejects WHERE settled = 0 AND reason = ${UNKNOWN_METER} AND meter IS NOT NULL`,
    ),
    ofMeter: one(
      `SELECT r.*, g.key FROM rejects r JOIN gateways g ON g.id = r.gateway WHERE r.settled = 0 AND r.reason = ${UNKNOWN_METER} AND r.meter = ? ORDER BY r.id LIMIT ?`,
    ),
  };
}

/** The meter where it was counted; null where that was at a gateway or at nobody. */
function meterOf(counted: unknown): MeterId | null {
  const place = String(counted);
  return place === '' || place.startsWith('gateway ') ? null : asMeterId(place);
}
