import { EventCode, Kind, type MeterId, Quality } from '@gridtokenx/protocol';
import { contentOf, type SignedMessage } from './signed-message.js';

/** Seqs from `first` to `last`, both included. */
interface SeqSpan {
  readonly first: bigint;
  readonly last: bigint;
}

/** Facts about the messages of one key in a spool. */
export interface KeyReport {
  readonly meterId: MeterId;
  readonly counts: Readonly<
    Record<'readings' | 'statements' | 'events' | 'enrolments' | 'moreValues' | 'others', number>
  >;
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
  /** Seqs that are absent and that no event declares. */
  readonly missing: readonly SeqSpan[];
  /** Time of the oldest and the newest reading, ms; null without any. */
  readonly fromMs: number | null;
  readonly untilMs: number | null;
  readonly lastWindow: number | null;
  /** Faults in words, the first 20; `faultCount` has all. */
  readonly faults: readonly string[];
  readonly faultCount: number;
}

const MAX_FAULTS = 20;

/** Gathers facts about one key's messages, which come in any order. Holds one number for each message. */
export class KeyReporter {
  readonly #meterId: MeterId;
  readonly #verify: ((message: SignedMessage) => boolean) | null;
  readonly #counts = { readings: 0, statements: 0, events: 0, enrolments: 0, moreValues: 0, others: 0 };
  readonly #seqs = new Map<number, string>();
  readonly #declared: SeqSpan[] = [];
  readonly #faults: string[] = [];
  #faultCount = 0;
  #fromMs: number | null = null;
  #untilMs: number | null = null;
  #lastWindow: number | null = null;

  /** `verify`: checks a signature; null: signatures are not checked. */
  constructor(meterId: MeterId, verify: ((message: SignedMessage) => boolean) | null) {
    this.#meterId = meterId;
    this.#verify = verify;
  }

  add(message: SignedMessage): void {
    const seq = Number(message.seq);
    const mark = Buffer.from(message.bytes.subarray(-8)).toString('latin1');
    const before = this.#seqs.get(seq);
    if (before !== undefined) {
      if (before !== mark) this.#fault(`seq ${seq} stands in two different messages`);
      return;
    }
    this.#seqs.set(seq, mark);
    if (this.#verify && !this.#verify(message)) this.#fault(`seq ${seq}: the key of the directory did not sign it`);
    this.#content(message);
  }

  #content(message: SignedMessage): void {
    const content = contentOf(message);
    if (content?.kind === Kind.reading) {
      this.#counts.readings++;
      const at = Number(content.timeMs);
      if ((content.quality & Quality.unsynchronised) === 0) {
        this.#fromMs = Math.min(this.#fromMs ?? at, at);
        this.#untilMs = Math.max(this.#untilMs ?? at, at);
      }
    } else if (content?.kind === Kind.statement) {
      this.#counts.statements++;
      this.#lastWindow = Math.max(this.#lastWindow ?? content.window, content.window);
    } else if (content?.kind === Kind.event) {
      this.#counts.events++;
      if (content.code === EventCode.gap && content.detail > 0)
        this.#declared.push({ first: content.value, last: content.value + BigInt(content.detail) - 1n });
    } else if (content?.kind === Kind.enrolment) this.#counts.enrolments++;
    else if (content?.kind === Kind.moreValues) this.#counts.moreValues++;
    else this.#counts.others++;
  }

  #fault(words: string): void {
    this.#faultCount++;
    if (this.#faults.length < MAX_FAULTS) this.#faults.push(words);
  }

  result(): KeyReport {
    const seqs = [...this.#seqs.keys()].sort((a, b) => a - b);
    return {
      meterId: this.#meterId,
      counts: this.#counts,
      firstSeq: BigInt(seqs[0] ?? 0),
      lastSeq: BigInt(seqs.at(-1) ?? 0),
      missing: this.#missing(seqs),
      fromMs: this.#fromMs,
      untilMs: this.#untilMs,
      lastWindow: this.#lastWindow,
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  /** Returns the holes between the seqs that no event declares as a whole. */
  #missing(seqs: readonly number[]): SeqSpan[] {
    const spans: SeqSpan[] = [];
    for (const [i, seq] of seqs.entries()) {
      const before = seqs[i - 1];
      if (before === undefined || seq === before + 1) continue;
      const [first, last] = [BigInt(before + 1), BigInt(seq - 1)];
      if (!this.#isDeclared(first, last)) spans.push({ first, last });
    }
    return spans;
  }

  #isDeclared(first: bigint, last: bigint): boolean {
    let next = first;
    for (const span of [...this.#declared].sort((a, b) => (a.first < b.first ? -1 : 1)))
      if (span.first <= next && span.last >= next) next = span.last + 1n;
    return next > last;
  }
}
