import type { DatabaseSync } from 'node:sqlite';
import { isAttestable, Kind, type Reading, type Reason, type Statement } from '@gridtokenx/protocol';
import type { LedgerViews, MeterView } from '../../domain/ledger.js';
import type { AttestableStatement, MeterRecord, SignedStatement, StatementStore } from '../../ports.js';
import { messageRow } from './rows.js';

const DEFAULT_LIMIT = 1_000;
/** Where a statement's two registers lie in its 171-byte message, from 1 as SQL counts (wire format: kind 2). */
const REGISTERS_AT = 1 + 9 + 40;
const REGISTERS_BYTES = 16;

/** Accepted statements that may be attested, over all keys of a meter. */
export class SqliteStatements implements StatementStore {
  readonly #rising;
  readonly #falling;
  readonly #parents;
  readonly #upTo;
  readonly #stream;
  readonly #said;
  readonly #saying;
  readonly #listeners = new Set<() => void>();

  constructor(sqlite: DatabaseSync) {
    const from = 'SELECT m.* FROM streams s JOIN messages m ON m.stream = s.id AND m.kind = 2 WHERE s.meter = ?';
    this.#rising = sqlite.prepare(`${from} AND m.window > ? AND m.verdict IN (0, 17) ORDER BY m.window, m.hash`);
    this.#parents = sqlite.prepare('SELECT production, consumption FROM points WHERE meter = ?');
    this.#upTo = sqlite.prepare(
      `${from} AND m.window > ? AND m.window <= ? AND m.verdict IN (0, 17) ORDER BY m.window DESC, m.hash`,
    );
    this.#stream = sqlite.prepare('SELECT id FROM streams WHERE meter = ? AND key = ?');
    const ofStream = 'SELECT * FROM messages WHERE stream = ? AND kind = 2';
    this.#said = sqlite.prepare(`${ofStream} AND window <= ? ORDER BY window DESC`);
    // Compared inside SQLite: a device may have said a hundred thousand things of one window.
    const registers = `substr(bytes, ${REGISTERS_AT}, ${REGISTERS_BYTES})`;
    this.#saying = sqlite.prepare(`${ofStream} AND window = ? AND ${registers} = ?`);
    this.#falling = sqlite.prepare(`${from} AND m.verdict IN (0, 17) ORDER BY m.window DESC, m.hash`);
  }

  attestable(meterId: string, afterWindow: number, limit = DEFAULT_LIMIT): AttestableStatement[] {
    const found: AttestableStatement[] = [];
    let last = afterWindow;
    for (const raw of this.#rising.iterate(meterId, afterWindow)) {
      const statement = attestable(meterId, raw);
      // Two keys may both have stated a window around a rotation; which one stands must not depend on what came first.
      if (!statement || statement.window <= last) continue;
      found.push(statement);
      last = statement.window;
      if (found.length >= limit) break;
    }
    return found;
  }

  newest(meterId: string): AttestableStatement | undefined {
    for (const raw of this.#falling.iterate(meterId)) {
      const statement = attestable(meterId, raw);
      if (statement) return statement;
    }
    return undefined;
  }

  inputs(meterId: string, window: number, windows: number): AttestableStatement[] {
    const parents = this.#parents.get(meterId);
    if (!parents) return [];
    const found = [parents.production, parents.consumption].flatMap((parent) =>
      this.#upTo.all(String(parent), window - windows, window).flatMap((raw) => attestable(String(parent), raw) ?? []),
    );
    return found.sort((a, b) => b.window - a.window);
  }

  signedBy(meterId: string, key: Uint8Array, window: number, limit: number): SignedStatement[] {
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
    meterId: string,
    key: Uint8Array,
    { window, importWh, exportWh }: { window: number; importWh: bigint; exportWh: bigint },
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
export function knownMeters(sqlite: DatabaseSync): string[] {
  return sqlite
    .prepare('SELECT DISTINCT meter FROM streams')
    .all()
    .map(({ meter }) => String(meter));
}

function attestable(meterId: string, raw: Record<string, unknown>): AttestableStatement | null {
  const { payload, signed, message, receivedMs } = messageRow(raw);
  if (payload.kind !== Kind.statement || !isAttestable(payload.quality)) return null;
  const { window, importWh, exportWh } = payload;
  return { meterId, window, importWh, exportWh, payload: signed, message, receivedMs };
}

/** What people are shown of the ledger. */
export class SqliteViews implements LedgerViews {
  readonly #sql;

  constructor(sqlite: DatabaseSync) {
    this.#sql = {
      stream: sqlite.prepare('SELECT id FROM streams WHERE meter = ? AND key = ?'),
      gateway: sqlite.prepare(
        'SELECT g.key FROM gateway_meters m JOIN gateways g ON g.id = m.gateway WHERE m.meter = ? ORDER BY m.last_ms DESC LIMIT 1',
      ),
      reading: sqlite.prepare(
        'SELECT * FROM messages WHERE stream = ? AND kind = 1 AND verdict = 0 ORDER BY seq DESC LIMIT 1',
      ),
      statement: sqlite.prepare(
        'SELECT * FROM messages WHERE stream = ? AND kind = 2 AND verdict IN (0, 17) ORDER BY window DESC LIMIT 1',
      ),
      counts: sqlite.prepare('SELECT kind, verdict, n FROM counts WHERE meter = ? AND n <> 0'),
    };
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
  gatewayOf(meterId: string): Uint8Array | null {
    return (this.#sql.gateway.get(meterId)?.key as Uint8Array | undefined) ?? null;
  }

  unattributed(): MeterView['counts'] {
    return this.#counts('');
  }

  #counts(meter: string): MeterView['counts'] {
    return this.#sql.counts.all(meter).map((row) => ({
      kind: Number(row.kind),
      verdict: Number(row.verdict) as 0 | Reason,
      n: Number(row.n),
    }));
  }
}
