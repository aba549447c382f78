import type { SQLInputValue } from 'node:sqlite';
import type { BlockhashState } from '../../../domain/settlement/ports.js';
import type { Database, RealClock } from '../../../ports.js';

/** An attest_page that a signature is about to be given for. */
export interface Commitment {
  readonly zone: number;
  readonly page: number;
  readonly version: bigint;
  /** Of the instruction's data. */
  readonly digest: Uint8Array;
  readonly blockhash: string;
  /** As this oracle's own node sees it. */
  readonly lastValidHeight: number;
  /** Base58 identity of the oracle that sends it. */
  readonly leader: string;
}

/** A blockhash that the node does not know is taken as gone after this time. */
const PATIENCE_MS = 3_000;

/**
 * Remembers what this attestor has signed [settlement §8.4]. For one page version it signs one attest_page; another one
 * only when none of the first's transactions can land any more. The same attest_page may be signed again in another
 * transaction: the page's version lets only one of them land, and they say the same.
 */
export class CosignGuard {
  readonly #database: Database;
  readonly #realClock: RealClock;
  readonly #blockhashState: (of: { blockhash: string; lastValidHeight: number }) => Promise<BlockhashState>;
  readonly #unfamiliarSince = new Map<number, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    database: Database,
    realClock: RealClock,
    blockhashState: (of: { blockhash: string; lastValidHeight: number }) => Promise<BlockhashState>,
  ) {
    this.#database = database;
    this.#realClock = realClock;
    this.#blockhashState = blockhashState;
  }

  /**
   * True when it is stored durably that this may be signed; false while something else for the same page version may still
   * land. Throws `NodeUnavailable`, or what the disk throws.
   */
  commit(wanted: Commitment): Promise<boolean> {
    // One after another, so that two requests never pass each other between question and record.
    const done = this.#last.then(() => this.#commit(wanted));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(wanted: Commitment): Promise<boolean> {
    for (const other of this.#others(wanted)) {
      if (await this.#mayLand(other)) return false;
      this.#run('UPDATE chain_cosigned SET lapsed_ms = ? WHERE id = ?', this.#realClock.now(), other.id);
      this.#unfamiliarSince.delete(other.id);
    }
    const { zone, page, version, digest, blockhash, lastValidHeight, leader } = wanted;
    this.#run(
      `INSERT INTO chain_cosigned (zone, page, version, digest, blockhash, last_valid_height, leader, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[zone, page, version, digest, blockhash, lastValidHeight, leader, this.#realClock.now()],
    );
    return true;
  }

  #others({ zone, page, version, digest }: Commitment): { id: number; blockhash: string; lastValidHeight: number }[] {
    return this.#database.sqlite
      .prepare(
        `SELECT id, blockhash, last_valid_height FROM chain_cosigned
           WHERE zone = ? AND page = ? AND version = ? AND digest <> ? AND lapsed_ms IS NULL`,
      )
      .all(zone, page, version, digest)
      .map((row) => ({
        id: Number(row.id),
        blockhash: String(row.blockhash),
        lastValidHeight: Number(row.last_valid_height),
      }));
  }

  async #mayLand(signed: { id: number; blockhash: string; lastValidHeight: number }): Promise<boolean> {
    const state = await this.#blockhashState(signed);
    if (state !== 'unfamiliar') {
      this.#unfamiliarSince.delete(signed.id);
      return state === 'valid';
    }
    const now = this.#realClock.monotonic();
    const since = this.#unfamiliarSince.get(signed.id) ?? now;
    this.#unfamiliarSince.set(signed.id, since);
    return now - since < PATIENCE_MS;
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#database.sqlite.prepare(sql).run(...values);
  }
}
