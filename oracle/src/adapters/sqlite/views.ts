import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import {
  asMeterId,
  asPublicKeyText,
  equalBytes,
  isAttestable,
  Kind,
  type MeterId,
  type Reading,
  type Reason,
  type Statement,
  type Window,
  type WindowOrNone,
} from '@gridtokenx/protocol';
import { MESSAGES_PER_DAY, RESERVED_MESSAGES, refilled } from '../../domain/intake/quota.js';
import type { LedgerViews, MeterView } from '../../domain/live/ports.js';
import type { MeterRecord, Registry } from '../../domain/ports.js';
import type { AttestableStatement, SignedStatement, StatementStore } from '../../domain/settlement/statements.js';
import type { CountPlace } from '../../domain/verdicts/ports.js';
import { VERIFIED_CODE } from '../../domain/verdicts/verdict.js';
import { ACCEPTED, READING, STATEMENT } from './codes.js';
import { countsOf } from './rejects.js';
import { messageRow } from './rows.js';

type Raw = Record<string, SQLOutputValue>;

/** Where a statement's two registers lie in its 171-byte message, from 1 as SQL counts [wire §4.3]. */
const REGISTERS_AT = 1 + 9 + 40;
const REGISTERS_BYTES = 16;

/** Above all seqs. */
const LAST_SEQ = new Uint8Array(9).fill(255);

/**
 * Accepted statements that may be attested, over all keys of a meter. Each key's are read from an index of their own, in
 * order and no further than asked for: what else a key has sent costs nothing here.
 */
export class SqliteStatements implements StatementStore {
  readonly #streams;
  readonly #rising;
  readonly #falling;
  readonly #parents;
  readonly #upTo;
  readonly #stream;
  readonly #said;
  readonly #saying;
  readonly #listeners = new Set<() => void>();

  constructor(sqlite: DatabaseSync) {
    // Above a suspension nothing counts, also where its verdict is not revised yet.
    const where = `stream = ?1 AND kind = ${STATEMENT} AND verdict IN ${ACCEPTED} AND seq < ?2`;
    this.#streams = sqlite.prepare('SELECT id, suspended_from FROM streams WHERE meter = ? ORDER BY id');
    this.#rising = sqlite.prepare(`SELECT * FROM messages WHERE ${where} AND window > ?3 ORDER BY window, hash`);
    this.#falling = sqlite.prepare(`SELECT * FROM messages WHERE ${where} ORDER BY window DESC, hash`);
    this.#parents = sqlite.prepare('SELECT production, consumption FROM points WHERE meter = ?');
    this.#upTo = sqlite.prepare(
      `SELECT m.* FROM streams s JOIN messages m ON m.stream = s.id AND m.kind = ${STATEMENT} WHERE s.meter = ?
         AND (s.suspended_from IS NULL OR m.seq < s.suspended_from)
         AND m.window > ? AND m.window <= ? AND m.verdict IN ${ACCEPTED} ORDER BY m.window DESC, m.hash`,
    );
    this.#stream = sqlite.prepare('SELECT id FROM streams WHERE meter = ? AND key = ?');
    const ofStream = `SELECT * FROM messages WHERE stream = ? AND kind = ${STATEMENT}`;
    this.#said = sqlite.prepare(`${ofStream} AND window <= ? ORDER BY window DESC`);
    // Compared inside SQLite: a device may have said a hundred thousand things of one window.
    const registers = `substr(bytes, ${REGISTERS_AT}, ${REGISTERS_BYTES})`;
    this.#saying = sqlite.prepare(`${ofStream} AND window = ? AND ${registers} = ?`);
  }

  attestable(meterId: MeterId, afterWindow: WindowOrNone, limit: number): AttestableStatement[] {
    const streams = this.#streams.all(meterId);
    const found = streams.flatMap((stream) => this.#ofStream(meterId, stream, afterWindow, limit));
    if (streams.length > 1) found.sort((a, b) => a.window - b.window || Buffer.compare(a.hash, b.hash));
    // Two keys may both have stated a window around a rotation; which one stands must not depend on what came first.
    const distinct = found.filter((one, i) => one.window !== found[i - 1]?.window);
    return distinct.slice(0, limit).map(({ hash: _, ...statement }) => statement);
  }

  newest(meterId: MeterId): AttestableStatement | undefined {
    let best: Hashed | undefined;
    for (const stream of this.#streams.all(meterId)) {
      for (const row of this.#falling.iterate(Number(stream.id), stream.suspended_from ?? LAST_SEQ)) {
        const one = attestable(meterId, row);
        if (!one) continue;
        if (!best || one.window > best.window || isFirst(one, best)) best = one;
        break;
      }
    }
    if (!best) return undefined;
    const { hash: _, ...statement } = best;
    return statement;
  }

  #ofStream(meterId: MeterId, stream: Raw, afterWindow: WindowOrNone, limit: number): Hashed[] {
    const found: Hashed[] = [];
    for (const row of this.#rising.iterate(Number(stream.id), stream.suspended_from ?? LAST_SEQ, afterWindow)) {
      const one = attestable(meterId, row);
      if (one) found.push(one);
      if (found.length >= limit) break;
    }
    return found;
  }

  inputs(meterId: MeterId, window: Window, windows: number): AttestableStatement[] {
    const parents = this.#parents.get(meterId);
    if (!parents) return [];
    const found = [parents.production, parents.consumption].flatMap((parent) =>
      this.#upTo
        .all(asMeterId(String(parent)), window - windows, window)
        .flatMap((raw) => attestable(asMeterId(String(parent)), raw) ?? []),
    );
    return found.sort((a, b) => b.window - a.window);
  }

  signedBy(meterId: MeterId, key: Uint8Array, window: Window, limit: number): SignedStatement[] {
    const found: SignedStatement[] = [];
    const stream = this.#stream.get(meterId, key)?.id;
    if (stream === undefined) return found;
    let looked = 0;
    for (const raw of this.#said.iterate(stream, window)) {
      const statement = attestable(meterId, raw);
      if (statement) found.push(statement);
      if (++looked >= limit) break;
    }
    return found;
  }

  saying(
    meterId: MeterId,
    key: Uint8Array,
    { window, importWh, exportWh }: { window: Window; importWh: bigint; exportWh: bigint },
  ): SignedStatement | undefined {
    const stream = this.#stream.get(meterId, key)?.id;
    if (stream === undefined || importWh < 0n || exportWh < 0n) return undefined;
    const registers = new DataView(new ArrayBuffer(REGISTERS_BYTES));
    registers.setBigUint64(0, importWh, true);
    registers.setBigUint64(8, exportWh, true);
    for (const raw of this.#saying.iterate(stream, window, new Uint8Array(registers.buffer))) {
      const statement = attestable(meterId, raw);
      if (statement) return statement;
    }
    return undefined;
  }

  onStored(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells the listeners; called after the commit. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Meters of which something is stored, hex. The registry had each of them once. */
export function knownMeters(sqlite: DatabaseSync): MeterId[] {
  return sqlite
    .prepare('SELECT DISTINCT meter FROM streams')
    .all()
    .map(({ meter }) => asMeterId(String(meter)));
}

/** With the message's hash, which decides between two of one window. */
type Hashed = AttestableStatement & { readonly hash: Uint8Array };

function isFirst(one: Hashed, other: Hashed): boolean {
  return one.window === other.window && Buffer.compare(one.hash, other.hash) < 0;
}

function attestable(meterId: MeterId, raw: Raw): Hashed | null {
  const { payload, signed, message, receivedAtMs } = messageRow(raw);
  if (payload.kind !== Kind.statement || !isAttestable(payload.quality)) return null;
  const { window, importWh, exportWh } = payload;
  return { meterId, window, importWh, exportWh, payload: signed, message, receivedAtMs, hash: raw.hash as Uint8Array };
}

/** Reads the ledger for people. */
export class SqliteViews implements LedgerViews {
  readonly #sql;

  constructor(sqlite: DatabaseSync) {
    this.#sql = {
      stream: sqlite.prepare('SELECT id FROM streams WHERE meter = ? AND key = ?'),
      gateway: sqlite.prepare(
        'SELECT g.key FROM gateway_meters m JOIN gateways g ON g.id = m.gateway WHERE m.meter = ? ORDER BY m.last_ms DESC LIMIT 1',
      ),
      reading: sqlite.prepare(
        `SELECT * FROM messages WHERE stream = ? AND kind = ${READING} AND verdict = ${VERIFIED_CODE} ORDER BY seq DESC LIMIT 1`,
      ),
      statement: sqlite.prepare(
        `SELECT * FROM messages WHERE stream = ? AND kind = ${STATEMENT} AND verdict IN ${ACCEPTED} ORDER BY window DESC LIMIT 1`,
      ),
      counts: sqlite.prepare('SELECT kind, verdict, n FROM counts WHERE meter = ? AND n <> 0'),
      unattributed: sqlite.prepare(
        `SELECT kind, verdict, sum(n) AS n FROM counts WHERE meter = '' OR (meter >= 'gateway ' AND meter < 'gateway!')
           GROUP BY kind, verdict HAVING sum(n) <> 0`,
      ),
      suspended: sqlite.prepare('SELECT meter, key FROM streams WHERE suspended_from IS NOT NULL ORDER BY meter'),
      quotas: sqlite.prepare('SELECT meter, quota_left, quota_ms FROM streams WHERE quota_left < ? ORDER BY meter'),
    };
  }

  /** Meters whose keys have sent all that they may, so that their readings are taken only as time goes on. */
  overQuota(nowMs: number): string[] {
    return this.#sql.quotas.all(RESERVED_MESSAGES).flatMap(({ meter, quota_left, quota_ms }) => {
      const { left } = refilled({ left: Number(quota_left), atMs: Number(quota_ms) }, nowMs);
      return left < RESERVED_MESSAGES ? [`meter ${meter} sends more than ${MESSAGES_PER_DAY} messages a day`] : [];
    });
  }

  /** Keys in force that signed two messages for one place, with the gateway that brought them. */
  suspended(registry: Pick<Registry, 'meter'>): string[] {
    return this.#sql.suspended.all().flatMap(({ meter, key }) => {
      const meterId = asMeterId(String(meter));
      const inForce = registry.meter(meterId)?.key;
      if (!inForce || !equalBytes(inForce, key as Uint8Array)) return [];
      const gateway = this.gatewayOf(meterId);
      const who = gateway ? `gateway ${asPublicKeyText(gateway)}` : 'its own messages';
      return [
        `the key of meter ${meterId} signed two messages for one place (${who}): stop a copy of the gateway, then rotate the key`,
      ];
    });
  }

  meter(record: MeterRecord): MeterView {
    const stream = Number(this.#sql.stream.get(record.meterId, record.key)?.id ?? -1);
    const reading = this.#sql.reading.get(stream);
    const statement = this.#sql.statement.get(stream);
    return {
      gateway: this.gatewayOf(record.meterId),
      reading: reading ? (messageRow(reading).payload as Reading) : null,
      statement: statement ? (messageRow(statement).payload as Statement) : null,
      counts: this.#counts(record.meterId),
    };
  }

  /** The gateway that last brought something new of a meter, 32 bytes. */
  gatewayOf(meterId: MeterId): Uint8Array | null {
    return (this.#sql.gateway.get(meterId)?.key as Uint8Array | undefined) ?? null;
  }

  unattributed(): MeterView['counts'] {
    return this.#sql.unattributed.all().map(countOf);
  }

  /** Of a gateway: messages that no key of the meter they name has signed. */
  ofGateway(gateway: Uint8Array): MeterView['counts'] {
    return this.#counts(countsOf(gateway));
  }

  #counts(place: CountPlace): MeterView['counts'] {
    return this.#sql.counts.all(place).map(countOf);
  }
}

function countOf(row: Raw): MeterView['counts'][number] {
  return { kind: Number(row.kind), verdict: Number(row.verdict) as 0 | Reason, n: Number(row.n) };
}
