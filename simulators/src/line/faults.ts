import type { Request } from '../modbus-frames.js';
import { type Chance, whole } from './chance.js';

/** What can be wrong with an answer. */
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

/** Probability of each fault for an answer; what is not there never happens. */
export type FaultRates = Readonly<Partial<Record<AnswerFault, number>>>;

/** When disturbed answers come, in milliseconds from the request's last character on. */
export interface FaultTimes {
  /** Begin of a late answer. */
  lateMs(chance: Chance): number;
  /** Latest begin of the copy of an answer that begins at `sentAtMs`. */
  copyUntilMs(sentAtMs: number, isLate: boolean): number;
  /** Latest begin of a late answer; without it a machine that stands still may make it later. */
  lateUntilMs?(): number;
  /** An answer waits so long to be glued to the meter's next one; then it is forgotten. */
  glueMs(): number;
}

/** One PDU as a meter sends it. */
export interface Said {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** As the request was wrapped that it answers: on Modbus TCP with its transaction. */
  readonly wrap: Request['wrap'];
}

/** Something that a line carries to the master. */
export interface Delivery {
  /** Begin, in milliseconds from the request's last character on. */
  readonly atMs: number;
  /** Not put on the line at all when the machine comes to it later than this; null = any time. */
  readonly latestMs: number | null;
  /** Without silence between them; what was held back comes first. */
  readonly parts: readonly Said[];
  /** What happens to the last of the parts on its way. */
  readonly damage: 'corrupt' | 'truncate' | null;
}

/** Faults that were made, by name, and `withheld`: deliveries that the machine came to too late. */
export type FaultCounts = Partial<Record<AnswerFault | 'withheld', number>>;

export interface AnswerFaultsOptions {
  readonly chance: Chance;
  readonly rates: FaultRates;
  readonly times: FaultTimes;
}

const HIGHEST_EXCEPTION = 6;

/**
 * Decides what becomes of a meter's answers: by chance, and at once where it was asked for (`next`). Pure but for its
 * chance and its memory of what waits to be glued.
 */
export class AnswerFaults {
  readonly counts: FaultCounts = {};
  readonly #options: AnswerFaultsOptions;
  readonly #wanted: { fault: AnswerFault; atMs: number | null }[] = [];
  #glued: { said: Said; untilMs: number } | null = null;

  constructor(options: AnswerFaultsOptions) {
    this.#options = options;
  }

  /** Lets a fault befall the next answer. `atMs`: when a late answer or the copy begins, from the request on. */
  next(fault: AnswerFault, atMs: number | null = null): void {
    this.#wanted.push({ fault, atMs });
  }

  /** Whether the request comes back as an echo before it is answered. */
  echoes(): boolean {
    return this.#befalls('echo') !== null;
  }

  /**
   * What the line carries in place of `said`, which would begin at `sentAtMs` after the request and take `lengthMs`.
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
    // What is glued to a late answer would be later than any late one.
    const parts = late || !glued ? [whose] : [glued, whose];
    const untilMs = late && late.atMs === null ? (times.lateUntilMs?.() ?? null) : null;
    const result: Delivery[] = [{ atMs, latestMs: untilMs, parts, damage }];
    const copy = this.#befalls('copy');
    if (copy) {
      const latestMs = Math.max(atMs, times.copyUntilMs(atMs, late !== null));
      // Not into the answer itself, where there is time for both.
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

/** One to three flipped bits, or one burst of at most 16: what a CRC-16 always finds. The frame stays as it is. */
export function damaged(frame: Uint8Array, chance: Chance): Uint8Array {
  if (chance.fraction() < 0.5) return flipped(frame, whole(chance, 1, 3), chance);
  return burst(frame, whole(chance, 2, 16), chance);
}

/** A copy with so many different bits flipped (at most all there are). */
export function flipped(frame: Uint8Array, count: number, chance: Chance): Uint8Array {
  const bytes = Uint8Array.from(frame);
  const bits = new Set<number>();
  while (bits.size < Math.min(count, 8 * bytes.length)) bits.add(whole(chance, 0, 8 * bytes.length - 1));
  for (const bit of bits) flip(bytes, bit);
  return bytes;
}

/** A copy with one burst of `length` bits: the first and the last of it are wrong, those between by chance. */
export function burst(frame: Uint8Array, length: number, chance: Chance): Uint8Array {
  const bytes = Uint8Array.from(frame);
  const long = Math.min(length, 8 * bytes.length);
  const first = whole(chance, 0, 8 * bytes.length - long);
  for (let i = 0; i < long; i++) if (i === 0 || i === long - 1 || chance.fraction() < 0.5) flip(bytes, first + i);
  return bytes;
}

/** The beginning of a frame: at least one byte, never all. */
export const truncated = (frame: Uint8Array, chance: Chance): Uint8Array =>
  frame.subarray(0, whole(chance, 1, frame.length - 1));

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (0x80 >> (bit & 7));
}
