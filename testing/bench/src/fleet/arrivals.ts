/** A half-open span of whole seconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface MeterArrivals {
  /** Content of each message, by seq. */
  readonly contents: Map<number, string>;
  readonly declared: Set<number>;
  /** Number of readings in each second. */
  readonly seconds: Map<number, number>;
  storedThrough: number;
  highest: number;
}

/** Keeps what arrived of each meter: which seconds have a value, and which seqs are there, declared or lost. */
export class Arrivals {
  readonly #meters = new Map<string, MeterArrivals>();
  /** Messages that arrived more than once with the same content: a resend, which an oracle stores once. */
  repeated = 0;
  /** Seqs that arrived with two contents. */
  contradicted = 0;
  readings = 0;

  get meters(): string[] {
    return [...this.#meters.keys()];
  }
  get meterCount(): number {
    return this.#meters.size;
  }

  #of(meter: string): MeterArrivals {
    let of = this.#meters.get(meter);
    if (!of) {
      of = { contents: new Map(), declared: new Set(), seconds: new Map(), storedThrough: 0, highest: 0 };
      this.#meters.set(meter, of);
    }
    return of;
  }

  /** Records a signed message. Returns true when its seq is new. */
  message(meter: string, seq: number, content: string): boolean {
    const of = this.#of(meter);
    const known = of.contents.get(seq);
    if (known !== undefined) {
      if (known === content) this.repeated++;
      else this.contradicted++;
      return false;
    }
    of.contents.set(seq, content);
    of.highest = Math.max(of.highest, seq);
    return true;
  }

  /** Records that a meter declared seqs that never come. */
  declare(meter: string, first: number, count: number): void {
    const { declared } = this.#of(meter);
    for (let seq = first; seq < first + count; seq++) declared.add(seq);
  }

  /** Records a value of a meter at a second. */
  value(meter: string, second: number): void {
    const { seconds } = this.#of(meter);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
    this.readings++;
  }

  /** Returns the seq through which every message is there or declared, and the highest. */
  mark(meter: string): { storedThrough: number; highest: number } {
    const of = this.#of(meter);
    const { contents, declared } = of;
    while (contents.has(of.storedThrough + 1) || declared.has(of.storedThrough + 1)) of.storedThrough++;
    return { storedThrough: of.storedThrough, highest: of.highest };
  }

  /** Counts seqs below the highest of their meter that neither arrived nor were declared. */
  lost(): number {
    let lost = 0;
    for (const { contents, declared, highest } of this.#meters.values())
      for (let seq = 1; seq <= highest; seq++) if (!contents.has(seq) && !declared.has(seq)) lost++;
    return lost;
  }

  /** Lists, for each meter, the seconds of a span without a value. */
  missing({ from, to }: Span): number[][] {
    return Array.from(this.#meters.values(), ({ seconds }) => {
      const absent: number[] = [];
      for (let second = from; second < to; second++) if (!seconds.has(second)) absent.push(second);
      return absent;
    });
  }

  /** Returns the first second from `from` on in which any meter has a value; null for none. */
  firstSecond(from: number): number | null {
    let first: number | null = null;
    for (const { seconds } of this.#meters.values())
      for (const second of seconds.keys()) if (second >= from && (first === null || second < first)) first = second;
    return first;
  }
}
