import {
  decodePayload,
  EventCode,
  fromHex,
  GapReason,
  Kind,
  type MeterId,
  type MeterWatermark,
  toHex,
} from '@gridtokenx/protocol';
import type { Spool } from '#edge/domain/ports.js';
import { SeqRuns } from '#edge/domain/seq-runs.js';
import { contentOf, type SignedMessage } from '#edge/domain/signed-message.js';
import { type Life, METER_IDS, NO_MARK } from './life.js';

/** Remembers, over all lives on one disk, what was signed, committed and acknowledged, and finds what is wrong. */
export class Ledger {
  /** Signed payloads by place: one seq, one content. */
  readonly #signed = new Map<string, string>();
  /** Statements by meter and window. */
  readonly #windows = new Map<string, string>();
  /** Committed messages by place. */
  readonly committedBytes = new Map<string, string>();
  readonly #acknowledged = new Map<MeterId, bigint>();
  readonly #seen = new Map<MeterId, MeterWatermark>();
  readonly faults = new Set<string>();
  /** Seqs that the spool chose to thin. */
  readonly #thinning = new Map<MeterId, SeqRuns>();
  /** Committed messages that were thinned and declared. */
  thinned = 0;
  #wh = 0;

  /** Returns a ledger that goes on from here by itself. */
  copy(): Ledger {
    const made = new Ledger();
    for (const [place, hex] of this.#signed) made.#signed.set(place, hex);
    for (const [window, hex] of this.#windows) made.#windows.set(window, hex);
    for (const [place, hex] of this.committedBytes) made.committedBytes.set(place, hex);
    for (const [id, seq] of this.#acknowledged) made.#acknowledged.set(id, seq);
    for (const [id, mark] of this.#seen) made.#seen.set(id, mark);
    for (const [id, runs] of this.#thinning) made.#thinning.set(id, SeqRuns.of(runs));
    made.#wh = this.#wh;
    return made;
  }

  nextWh(): number {
    return ++this.#wh;
  }

  /** Checks a payload that a key signs. */
  signed(hex: string): void {
    const payload = decodePayload(fromHex(hex));
    const place = `${toHex(payload.meterId)}/${payload.seq}`;
    const before = this.#signed.get(place);
    if (before !== undefined && before !== hex) this.faults.add(`seq used twice: ${place}`);
    this.#signed.set(place, hex);
    if (payload.kind !== Kind.statement) return;
    const window = `${toHex(payload.meterId)}/window ${payload.window}`;
    const stated = this.#windows.get(window);
    if (stated !== undefined && stated !== hex) this.faults.add(`two statements: ${window}`);
    this.#windows.set(window, hex);
  }

  committed({ meterId, seq, bytes }: SignedMessage): void {
    this.committedBytes.set(`${meterId}/${seq}`, toHex(bytes));
  }

  thins(id: MeterId, first: bigint, last: bigint): void {
    const runs = this.#thinning.get(id) ?? new SeqRuns();
    runs.addRun(Number(first), Number(last));
    this.#thinning.set(id, runs);
  }

  acknowledged(id: MeterId): bigint {
    return this.#acknowledged.get(id) ?? 0n;
  }
  seen(id: MeterId): MeterWatermark {
    return this.#seen.get(id) ?? NO_MARK;
  }

  /** Lets the oracles acknowledge a part (0 to 1) of what waits without a hole. */
  acknowledge(spool: Spool, id: MeterId, part: number): void {
    const through = this.acknowledged(id);
    let last = through;
    const top = spool.highest(id);
    const wanted = through + BigInt(Math.ceil(Number(top - through) * part));
    const [hole] = spool.missing(id, through + 1n, wanted);
    last = hole ? hole.first - 1n : wanted;
    if (last <= through) return;
    this.#acknowledged.set(id, last);
    const before = this.seen(id);
    this.#seen.set(id, { ...before, storedThrough: last, highestSeen: last });
  }

  safeThrough(life: Life, id: MeterId): bigint {
    const stated = life.meters.find((meter) => meter.id === id)?.journal?.statedThrough ?? 0n;
    const acknowledged = this.acknowledged(id);
    return acknowledged < stated ? acknowledged : stated;
  }

  /**
   * Checks the spool after a start, whose first messages are signed: each committed message that nobody acknowledged is
   * there byte for byte, or a gap declares it. `mayLose`: how many may be gone as damaged. Every seq is there or declared.
   */
  async judge(life: Life, mayLose: number, what: string): Promise<void> {
    let damaged = 0;
    for (const id of METER_IDS) {
      const { spool } = life;
      const there = new Map((await spool.read(id, 1n, 1_000_000)).map((one) => [one.seq, one]));
      const { declared, thinned } = declaredIn([...there.values()]);
      for (const [place, bytes] of this.committedBytes) {
        const [meter, text] = place.split('/');
        const seq = BigInt(text ?? 0);
        if (meter !== id || seq <= this.acknowledged(id)) continue;
        const found = there.get(seq);
        if (found && toHex(found.bytes) !== bytes) this.faults.add(`${what}: ${place} has other bytes`);
        if (found) continue;
        if (!declared.has(Number(seq))) this.faults.add(`${what}: ${place} is lost and no gap declares it`);
        else if (thinned.has(Number(seq)) || this.#thinning.get(id)?.has(Number(seq))) this.thinned++;
        else damaged++;
      }
      if (!life.meters.some((meter) => meter.id === id && meter.journal)) continue;
      for (const { first, last } of spool.missing(id, this.acknowledged(id) + 1n, spool.highest(id)))
        for (const run of declared.missing(Number(first), Number(last)))
          this.faults.add(`${what}: ${id}/${run.first} to ${run.last} is not declared`);
    }
    if (damaged > mayLose) this.faults.add(`${what}: ${damaged} committed records lost, ${mayLose} were damaged`);
  }
}

/** Seqs that the gaps among these messages declare. */
function declaredIn(messages: readonly SignedMessage[]): { declared: SeqRuns; thinned: SeqRuns } {
  const [declared, thinned] = [new SeqRuns(), new SeqRuns()];
  for (const message of messages) {
    const event = contentOf(message);
    if (event?.kind !== Kind.event || event.code !== EventCode.gap) continue;
    const first = Number(event.value);
    declared.addRun(first, first + event.detail - 1);
    if (event.data[0] === GapReason.thinned) thinned.addRun(first, first + event.detail - 1);
  }
  return { declared, thinned };
}
