import { damaged } from '@gridtokenx/simulators';
import type { Random } from '@gridtokenx/testing-kit/random';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { withCrc } from '#edge/domain/bus/crc.js';
import type { Line } from '#edge/domain/bus/ports.js';
import type { FaultRates } from './faults.js';

/** Disturbances of a line of simulated meters. */
export interface LineOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly rates: FaultRates;
  /** Milliseconds for a character. */
  readonly charMs: number;
  /** Returns the whole wait in force for the present request, ms: faults are stated in it. */
  readonly timeoutMs: () => number;
  readonly figures: Record<string, number>;
}

/** An answer that waits to be glued to the next answer. */
interface Glued {
  readonly frame: Uint8Array;
  /** End of the time in which it may be heard behind that answer; monotonic ms. */
  readonly untilMs: number;
}

const TURNAROUND_MS = [8, 30] as const;
const GATHER_MS = 16;

/**
 * A line on a virtual clock with meters on it. No other register and no other answer nearby has a register's value. So
 * a value from elsewhere never equals the right value.
 */
export class FaultyLine implements Line {
  readonly #options: LineOptions;
  #input: number[] = [];
  #arrived = () => {};
  #serial = 0;
  #glued: Glued | null = null;
  #freeAtMs = 0;
  /** The data that the last request's answer must contain. */
  truth: Uint8Array = new Uint8Array(0);

  constructor(options: LineOptions) {
    this.#options = options;
  }

  async write(request: Uint8Array): Promise<void> {
    const [unit, fn, high, low, , count] = request as unknown as [number, number, number, number, number, number];
    const address = high * 256 + low;
    this.#serial++;
    const data = new Uint8Array(2 * count);
    for (let i = 0; i < count; i++) {
      const value = ((address + i) * 40_503 + this.#serial * 7_919 + unit * 257) & 0xffff;
      data.set([value >> 8, value & 0xff], 2 * i);
    }
    this.truth = data;
    const frame = withCrc(Uint8Array.of(unit, fn, data.length, ...data));
    const { random, rates, charMs } = this.#options;
    const sentAtMs = request.length * charMs;
    // Glued to the very next answer or to none: later it would be a copy of a good answer, which nothing can
    // distinguish.
    const glued = this.#glued;
    this.#glued = null;
    if (random.chance(rates.exception)) {
      this.#count('exceptions');
      this.#say(withCrc(Uint8Array.of(unit, fn + 0x80, random.int(1, 6))), sentAtMs + random.int(...TURNAROUND_MS));
      return;
    }
    this.#answer(frame, sentAtMs, glued);
  }

  #answer(whole: Uint8Array, sentAtMs: number, glued: Glued | null): void {
    const { random, rates, timeoutMs, clock, charMs } = this.#options;
    let frame = whole;
    let delayMs = sentAtMs + random.int(...TURNAROUND_MS);
    if (random.chance(rates.drop)) {
      this.#count('dropped');
      return;
    }
    const wait = timeoutMs();
    const isLate = random.chance(rates.late);
    if (isLate) {
      this.#count('late');
      delayMs = wait * (0.9 + random.fraction() * (rates.lateTimeouts - 0.9));
    }
    if (random.chance(rates.corrupt)) {
      this.#count('corrupted');
      frame = damaged(frame, random);
    }
    if (random.chance(rates.truncate)) {
      this.#count('truncated');
      frame = frame.subarray(0, random.int(1, frame.length - 1));
    }
    if (glued && !isLate) {
      this.#count('glued');
      const endAtMs = clock.monotonicMs() + delayMs + (frame.length + glued.frame.length) * charMs;
      // Behind the answer it is heard when the next request may be on its way: there it counts as a copy.
      frame = endAtMs <= glued.untilMs && random.chance(0.5) ? join(frame, glued.frame) : join(glued.frame, frame);
    }
    this.#say(frame, delayMs);
    if (random.chance(rates.copy)) {
      this.#count('copied');
      const initialMs = delayMs + frame.length * charMs;
      // Copies a good answer: heard to its end within so many time-outs of the good answer's end.
      const maxMs = isLate ? wait * rates.lateTimeouts : delayMs + wait * (rates.copyTimeouts ?? 1);
      this.#say(whole, initialMs + random.fraction() * Math.max(0, maxMs - initialMs));
    }
    const untilMs = isLate ? wait * rates.lateTimeouts : delayMs + whole.length * charMs + wait;
    if (random.chance(rates.glue)) this.#glued = { frame: whole, untilMs: clock.monotonicMs() + untilMs };
  }

  /**
   * Puts bytes on the line, in pieces as an adapter delivers them: it delays none for longer than 16 ms. Nothing
   * overlaps another answer: that would be noise, which has its own row.
   */
  #say(bytes: Uint8Array, delayMs: number): void {
    const { random, charMs, clock } = this.#options;
    clock.after(delayMs, () => {
      if (clock.monotonicMs() < this.#freeAtMs) {
        this.#count('withheld');
        return;
      }
      this.#freeAtMs = clock.monotonicMs() + bytes.length * charMs;
      const most = Math.max(1, Math.floor(GATHER_MS / charMs));
      for (let from = 0; from < bytes.length; ) {
        const to = Math.min(bytes.length, from + random.int(1, most));
        const part = bytes.subarray(from, to);
        clock.after(to * charMs, () => {
          for (const byte of part) this.#input.push(byte);
          this.#arrived();
        });
        from = to;
      }
    });
  }

  #count(what: string): void {
    const { figures } = this.#options;
    figures[what] = (figures[what] ?? 0) + 1;
  }

  read(): Uint8Array {
    if (this.#input.length === 0) return EMPTY;
    const bytes = Uint8Array.from(this.#input);
    this.#input = [];
    return bytes;
  }

  /** A serial line announces nothing: the bus polls it by the clock. */
  onArrival(): void {}

  async close(): Promise<void> {}
}

const EMPTY = new Uint8Array(0);

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
