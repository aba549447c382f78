import type { Request } from '../modbus-frames.js';
import { type Chance, whole } from './chance.js';

/** Faults of an answer. */
export const ANSWER_FAULTS = [
  'late',
  'drop',
  'copy',
  'truncate',
  'glue',
  'corrupt',
  'exception',
  'wrongUnit',
  'echo',
] as const;
export type AnswerFault = (typeof ANSWER_FAULTS)[number];

/** Probability of each fault for an answer, 0 to 1; an absent fault never occurs. */
export type FaultRates = Readonly<Partial<Record<AnswerFault, number>>>;

/** Times of disturbed answers, in ms from the request's last character. */
export interface FaultTimes {
  /** Begin of a late answer. */
  lateMs(chance: Chance): number;
  /** Latest begin of the copy of an answer that begins at `sentAtMs`. */
  copyUntilMs(sentAtMs: number, isLate: boolean): number;
  /** Latest begin of a late answer; without it a machine that stands still may delay it further. */
  lateUntilMs?(): number;
  /** Time for which an answer waits to be glued to the meter's next answer, ms; then it is dropped. */
  glueMs(): number;
}

/** One PDU as a meter sends it. */
export interface Said {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Wraps a PDU as the request was wrapped: on Modbus TCP with its transaction. */
  readonly wrap: Request['wrap'];
}

/** Frames that a line carries to the master. */
export interface Delivery {
  /** Begin, in ms from the request's last character. */
  readonly atMs: number;
  /** Instant after which the machine no longer puts it on the line; null = no limit. */
  readonly latestMs: number | null;
  /** Frames without silence between them; a delayed frame comes first. */
  readonly parts: readonly Said[];
  /** Damage of the last part on its way; null = none. */
  readonly damage: 'corrupt' | 'truncate' | null;
}

/** Counts of faults by name, and of `withheld`: deliveries that the machine reached too late. */
export type FaultCounts = Partial<Record<AnswerFault | 'withheld', number>>;

export interface AnswerFaultsOptions {
  readonly chance: Chance;
  readonly rates: FaultRates;
  readonly times: FaultTimes;
}

const HIGHEST_EXCEPTION = 6;

/**
 * Decides the faults of a meter's answers: by chance, and at once after `next`. Pure but for its randomness and its
 * memory of the answer that waits to be glued.
 */
export class AnswerFaults {
  readonly counts: FaultCounts = {};
  readonly #options: AnswerFaultsOptions;
  readonly #wanted: { fault: AnswerFault; atMs: number | null }[] = [];
  #glued: { said: Said; untilMs: number } | null = null;

  constructor(options: AnswerFaultsOptions) {
    this.#options = options;
  }

  /** Schedules a fault for the next answer. `atMs`: begin of a late answer or a copy, from the request on. */
  next(fault: AnswerFault, atMs: number | null = null): void {
    this.#wanted.push({ fault, atMs });
  }

  /** Returns true when the request comes back as an echo before its answer. */
  echoes(): boolean {
    return this.#befalls('echo') !== null;
  }

  /**
   * Returns the deliveries that replace `said`, which would begin at `sentAtMs` after the request and take `lengthMs`.
   * `nowMs`: monotonic.
   */
  deliveries(
    said: Said,
    { sentAtMs, lengthMs, nowMs }: { sentAtMs: number; lengthMs: number; nowMs: number },
  ): Delivery[] {
    const { chance, times } = this.#options;
    const glued = this.#glued && nowMs <= this.#glued.untilMs ? this.#glued.said : null;
    this.#glued = null;
    if (this.#befalls('exception')) {
      const code = whole(chance, 1, HIGHEST_EXCEPTION);
      const refusal = { ...said, pdu: Uint8Array.of((said.pdu[0] ?? 0) | 0x80, code) };
      return [{ atMs: sentAtMs, latestMs: null, parts: [refusal], damage: null }];
    }
    if (this.#befalls('drop')) return [];
    const late = this.#befalls('late');
    const atMs = late ? (late.atMs ?? times.lateMs(chance)) : sentAtMs;
    const damage = this.#befalls('corrupt') ? 'corrupt' : this.#befalls('truncate') ? 'truncate' : null;
    const whose = this.#befalls('wrongUnit') ? { ...said, unit: (said.unit % 247) + 1 } : said;
    // A frame glued to a late answer would be later than any late answer.
    const parts = late || !glued ? [whose] : [glued, whose];
    const untilMs = late && late.atMs === null ? (times.lateUntilMs?.() ?? null) : null;
    const result: Delivery[] = [{ atMs, latestMs: untilMs, parts, damage }];
    const copy = this.#befalls('copy');
    if (copy) {
      const latestMs = Math.max(atMs, times.copyUntilMs(atMs, late !== null));
      // Does not begin inside the answer itself, where there is time for both.
      const initialMs = Math.min(atMs + lengthMs, latestMs);
      const copyMs = copy.atMs ?? initialMs + chance.fraction() * (latestMs - initialMs);
      result.push({ atMs: copyMs, latestMs: copy.atMs === null ? latestMs : null, parts: [said], damage: null });
    }
    if (this.#befalls('glue')) this.#glued = { said, untilMs: nowMs + times.glueMs() };
    return result;
  }

  #befalls(fault: AnswerFault): { atMs: number | null } | null {
    const at = this.#wanted.findIndex((one) => one.fault === fault);
    const wanted = at < 0 ? null : this.#wanted.splice(at, 1)[0];
    if (!wanted && !(this.#options.chance.fraction() < (this.#options.rates[fault] ?? 0))) return null;
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    return { atMs: wanted?.atMs ?? null };
  }
}

/** Flips one to three bits, or one burst of at most 16 bits, which a CRC-16 always detects. Returns a copy. */
export function damaged(frame: Uint8Array, chance: Chance): Uint8Array {
  if (chance.fraction() < 0.5) return flipped(frame, whole(chance, 1, 3), chance);
  return burst(frame, whole(chance, 2, 16), chance);
}

/** Returns a copy with `count` different bits flipped (at most all bits). */
export function flipped(frame: Uint8Array, count: number, chance: Chance): Uint8Array {
  const bytes = Uint8Array.from(frame);
  const bits = new Set<number>();
  while (bits.size < Math.min(count, 8 * bytes.length)) bits.add(whole(chance, 0, 8 * bytes.length - 1));
  for (const bit of bits) flip(bytes, bit);
  return bytes;
}

/** Returns a copy with one burst of `length` bits: the first and the last bit are wrong, those between by chance. */
export function burst(frame: Uint8Array, length: number, chance: Chance): Uint8Array {
  const bytes = Uint8Array.from(frame);
  const long = Math.min(length, 8 * bytes.length);
  const first = whole(chance, 0, 8 * bytes.length - long);
  for (let i = 0; i < long; i++) if (i === 0 || i === long - 1 || chance.fraction() < 0.5) flip(bytes, first + i);
  return bytes;
}

/** Returns the beginning of a frame: at least one byte, never all. */
export const truncated = (frame: Uint8Array, chance: Chance): Uint8Array =>
  frame.subarray(0, whole(chance, 1, frame.length - 1));

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (0x80 >> (bit & 7));
}
