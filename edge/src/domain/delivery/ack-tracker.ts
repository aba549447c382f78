import {
  type Ack,
  asPublicKeyText,
  asWindow,
  latestWindow,
  type MeterId,
  type MeterWatermark,
  type PublicKeyText,
  reasonClass,
  shortHash,
  toHex,
} from '@gridtokenx/protocol';

/** Holds an oracle's newest ack, and survives restarts. */
export interface OracleMark {
  readonly timeMs: number;
  readonly ledgerId: string;
  readonly meters: ReadonlyMap<string, MeterWatermark>;
}

/** Effect of an ack. `older`: its time is below that of an earlier ack, so it is ignored. */
export const AckEffect = { older: 'older', same: 'same', newer: 'newer', fallenBack: 'fallen-back' } as const;
export type AckEffect = (typeof AckEffect)[keyof typeof AckEffect];

const NONE: MeterWatermark = { storedThrough: 0n, highestSeen: 0n, highestWindow: asWindow(0) };

/** Tracks the newest ack of each configured oracle, and what follows from them together [wire §8]. */
export class AckTracker {
  readonly #oracles: readonly PublicKeyText[];
  readonly #threshold: number;
  readonly #marks = new Map<PublicKeyText, OracleMark>();
  /** Refused messages by hash, with the oracles that refused them. */
  readonly #refused = new Map<string, Set<PublicKeyText>>();

  /** `oracles` in base58; `threshold` of them must have stored a message before it counts as acknowledged. */
  constructor(oracles: readonly PublicKeyText[], threshold: number) {
    if (threshold < 1 || threshold > oracles.length) throw new RangeError(`${threshold} of ${oracles.length} oracles`);
    this.#oracles = oracles;
    this.#threshold = threshold;
  }

  /** Records an ack that the oracle's key verified and that names this gateway. */
  accept(oracle: PublicKeyText, ack: Ack): AckEffect {
    const before = this.#marks.get(oracle);
    if (before && ack.timeMs < before.timeMs) return AckEffect.older;
    if (before && ack.timeMs === before.timeMs) return AckEffect.same;
    const ledgerId = toHex(ack.ledgerId);
    this.#marks.set(oracle, { timeMs: ack.timeMs, ledgerId, meters: ack.meters });
    this.#keepRefusals(oracle, ack);
    const fallen =
      before !== undefined &&
      (before.ledgerId !== ledgerId ||
        Array.from(before.meters).some(
          ([id, mark]) => (ack.meters.get(id) ?? NONE).storedThrough < mark.storedThrough,
        ));
    return fallen ? AckEffect.fallenBack : AckEffect.newer;
  }

  #keepRefusals(oracle: PublicKeyText, ack: Ack): void {
    // A reason of class *retry* is no refusal, even in this list: the gateway sends the message again.
    const refused = ack.refused.filter(({ reason }) => reasonClass(reason) !== 'retry');
    const now = new Set(refused.map(({ hash }) => toHex(hash)));
    for (const [hash, oracles] of this.#refused) {
      if (!now.has(hash)) oracles.delete(oracle);
      if (oracles.size === 0) this.#refused.delete(hash);
    }
    for (const hash of now) {
      const oracles = this.#refused.get(hash) ?? new Set<PublicKeyText>();
      oracles.add(oracle);
      this.#refused.set(hash, oracles);
    }
  }

  /** Returns the seq through which at least `threshold` oracles have stored every message. */
  acknowledged(meterId: MeterId): bigint {
    const stored = this.#oracles.map((oracle) => this.#mark(oracle, meterId).storedThrough);
    stored.sort((a, b) => (a < b ? 1 : -1));
    return stored[this.#threshold - 1] ?? 0n;
  }

  /** Returns the seq through which this oracle has stored every message. */
  storedBy(oracle: PublicKeyText, meterId: MeterId): bigint {
    return this.#mark(oracle, meterId).storedThrough;
  }

  /** Returns the largest values over all oracles: nothing up to them may be signed again. */
  highest(meterId: MeterId): MeterWatermark {
    const marks = this.#oracles.map((oracle) => this.#mark(oracle, meterId));
    const [first = NONE] = marks.toSorted((a, b) => (a.highestSeen < b.highestSeen ? 1 : -1));
    return {
      storedThrough: first.storedThrough,
      highestSeen: first.highestSeen,
      highestWindow: latestWindow(NONE.highestWindow, ...marks.map(({ highestWindow }) => highestWindow)),
    };
  }

  /**
   * Returns true when so many oracles refused these bytes that the threshold can no longer be reached [gateway §11.5].
   */
  isDead(hash: string): boolean {
    const refusers = this.#refused.get(hash)?.size ?? 0;
    return refusers > 0 && this.#oracles.length - refusers < this.#threshold;
  }

  get refusals(): number {
    return this.#refused.size;
  }

  #mark(oracle: PublicKeyText, meterId: MeterId): MeterWatermark {
    return this.#marks.get(oracle)?.meters.get(meterId) ?? NONE;
  }

  /** Encodes the acks for a restart. Omits refusals: the next ack repeats them. */
  encode(): string {
    const oracles = Array.from(this.#marks, ([oracle, { timeMs, ledgerId, meters }]) => ({
      oracle,
      time_ms: timeMs,
      ledger_id: ledgerId,
      meters: Array.from(meters, ([id, m]) => [id, `${m.storedThrough}`, `${m.highestSeen}`, m.highestWindow]),
    }));
    // The file is not synced: a power cut may leave a part of it.
    return `${JSON.stringify({ version: 2, hash: hashOf(oracles), oracles })}\n`;
  }

  /** Restores acks from that text. Ignores malformed parts: the next ack repeats them. */
  restore(text: string): void {
    try {
      const value = JSON.parse(text) as { version: number; hash: string; oracles: Record<string, unknown>[] };
      if (value.version !== 1 && value.hash !== hashOf(value.oracles)) return;
      for (const entry of value.oracles) this.#restoreOracle(entry);
    } catch {
      this.#marks.clear();
    }
  }

  #restoreOracle(entry: Record<string, unknown>): void {
    const { time_ms: timeMs, ledger_id: ledgerId, meters } = entry;
    const oracle = this.#oracles.find((name) => name === entry.oracle);
    if (oracle === undefined) return;
    if (!Number.isSafeInteger(timeMs) || typeof ledgerId !== 'string' || !Array.isArray(meters)) return;
    const marks = meters.map(([id, stored, seen, window]): [string, MeterWatermark] => [
      String(id),
      { storedThrough: BigInt(stored), highestSeen: BigInt(seen), highestWindow: asWindow(Number(window)) },
    ]);
    this.#marks.set(oracle, { timeMs: timeMs as number, ledgerId, meters: new Map(marks) });
  }
}

const hashOf = (value: unknown) => toHex(shortHash(Buffer.from(JSON.stringify(value))));

/** Returns an oracle's name in acks and topics. */
export const oracleName = (key: Uint8Array): PublicKeyText => asPublicKeyText(key);
