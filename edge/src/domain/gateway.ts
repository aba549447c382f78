import {
  type Ack,
  EventCode,
  GapReason,
  type MeterId,
  type PublicKeyText,
  SYNCHRONISED_UNCERTAINTY_MS,
  shortHash,
  toHex,
  windowOf,
} from '@gridtokenx/protocol';
import type { AckBook } from './delivery/acks.js';
import { Backoff } from './delivery/backoff.js';
import type { Lag } from './delivery/catch-up.js';
import type { Outbox } from './delivery/outbox.js';
import type { Uplink } from './delivery/uplink.js';
import { Serial } from './lock.js';
import { ClockWatch } from './metering/clock-watch.js';
import type { Meter } from './metering/meter.js';
import type { Counters, Logger, Randomness, ReadingClock, RealTime, Spool } from './ports.js';
import { pause } from './wait.js';

/** With a connection: how long retained acks are waited for before the first message is signed. */
const RETAINED_ACK_MS = 2_000;
/** Without one: how long a connection is waited for. */
const OFFLINE_MS = 3_000;
/** An oracle that acknowledged nothing for this long is taken to be away: nothing is sent again for it. */
const HEARD_MS = 600_000;
/** More than one oracle: the others' retained acks follow the first at once. */
const OTHER_ACKS_MS = 200;
/** Without any ack: after this long event 11 is signed and windows are closed all the same. */
const NO_ORACLE_MS = 30_000;
const SAVE_MS = 2_000;
/** Dead letters are declared at most this often for one meter: a gap's own event may be refused too. */
const FIRST_DECLARE_MS = 1_000;
const LAST_DECLARE_MS = 600_000;
/** Refusals are looked up in the spool at most this often. */
const LOOK_MS = 500;
/** A step of the clock is news for this long: a quarter of an hour, as long as a window. */
const STEP_SHOWN_MS = 900_000;

/** What a gateway signs for: a meter, or a point that is derived from two. */
export type Metered = Pick<Meter, 'id' | 'name' | 'log' | 'recovered' | 'enrolled' | 'problems' | 'view' | 'run'>;

export interface GatewayOptions {
  readonly meters: readonly Metered[];
  readonly oracles: number;
  readonly spool: Spool;
  readonly spoolMaxBytes: number;
  readonly acks: AckBook;
  /** Keeps the newest acks over a restart; losing them costs a resend only. */
  readonly saveAcks: (text: string) => Promise<void>;
  readonly clock: ReadingClock;
  readonly real: RealTime;
  readonly random: Randomness;
  readonly log: Logger;
  readonly counters: Counters;
  /** 16 bytes each. */
  readonly softwareHash: Uint8Array;
  readonly configHash: Uint8Array;
  /** Records that may have been cut from the ends of segments at this start. */
  readonly tornRecords: number;
}

/** Lists the faults of a gateway, by kind. */
export interface GatewayFindings {
  /** Meters and points that are not enrolled. */
  readonly enrolment: readonly string[];
  readonly meters: readonly string[];
  /** An older image was restored, and the oracles' seqs are too far above ours. */
  readonly restored: readonly string[];
  /** Meters that cannot start, and work in the background that fails. */
  readonly background: readonly string[];
  readonly spool: string | null;
  readonly broker: string | null;
  /** Why no statement is signed. */
  readonly clock: string | null;
  /** The clock was stepped. */
  readonly step: string | null;
}

/**
 * The gateway as a whole. After a start: contact (or the lack of it), restored image, event 1 and gaps, then polls;
 * windows are closed once an ack was seen or event 11 is signed [gateway §9].
 */
export class Gateway {
  readonly #o: GatewayOptions;
  readonly #afterAcks = new Serial();
  readonly #declare = new Map<MeterId, { backoff: Backoff; notBefore: number }>();
  readonly #dead = new Map<MeterId, Set<bigint>>();
  #uplink: Uplink | null = null;
  #outbox: Outbox | null = null;
  #clockWatch: ClockWatch | null = null;
  #ackSeen = false;
  /** When each oracle acknowledged something last, monotonic ms. */
  readonly #heard = new Map<PublicKeyText, number>();
  /** By meter: the highest seq that was ever acknowledged; and where what is gone was looked for last. */
  readonly #reached = new Map<MeterId, bigint>();
  readonly #lookedFrom = new Map<MeterId, bigint>();
  #mayClose = false;
  #acksChanged = false;
  #contact: () => void = () => {};
  #subscribed: () => void = () => {};
  /** Meters whose seqs an oracle has seen far above ours. */
  #jumps: string[] = [];
  /** By what is done in the background: why it fails. */
  readonly #failing = new Map<string, string>();
  /** The last step of the clock, and when it is no news any more (monotonic ms). */
  #step: { words: string; untilMs: number } | null = null;

  constructor(options: GatewayOptions) {
    this.#o = options;
    for (const { id, recovered } of options.meters) {
      const dead = new Set<bigint>();
      for (const gap of recovered.declared) {
        if (gap.reason !== GapReason.refused || gap.last - gap.first > 100_000n) continue;
        for (let seq = gap.first; seq <= gap.last; seq++) dead.add(seq);
      }
      this.#dead.set(id, dead);
      const backoff = new Backoff(FIRST_DECLARE_MS, LAST_DECLARE_MS, options.random);
      this.#declare.set(id, { backoff, notBefore: 0 });
      this.#reached.set(id, options.acks.acknowledged(id));
    }
  }

  /** True for records that stay in the spool and are never sent. */
  excluded(meterId: MeterId, seq: bigint): boolean {
    if (this.#dead.get(meterId)?.has(seq)) return true;
    const meter = this.#o.meters.find(({ id }) => id === meterId);
    return meter?.log.state.discarded.some(({ first, last }) => seq >= first && seq <= last) ?? false;
  }

  /** What an oracle lacks that is there now, although enough others have it; null when there is none. */
  lag(meterId: MeterId): Lag | null {
    const { acks, real } = this.#o;
    const through = acks.acknowledged(meterId);
    const since = real.monotonicMs() - HEARD_MS;
    let from = through;
    for (const [oracle, heardMs] of this.#heard) {
      const stored = acks.storedBy(oracle, meterId);
      if (heardMs >= since && stored < from) from = stored;
    }
    return from < through ? { from, through } : null;
  }

  /** For the uplink: a genuine ack. */
  onAck(oracle: PublicKeyText, ack: Ack): void {
    const { acks, real } = this.#o;
    const effect = acks.accept(oracle, ack);
    if (effect !== 'older') this.#heard.set(oracle, real.monotonicMs());
    if (effect === 'older') {
      this.#o.counters.add('acks_ignored');
      return;
    }
    this.#ackSeen = true;
    this.#contact();
    if (effect === 'same') return;
    this.#acksChanged = true;
    if (effect === 'fallen-back') this.#outbox?.fallenBack(real.nowMs());
    this.#uplink?.poke();
    void this.#attempt(
      'after an ack',
      this.#afterAcks.run(() => this.#followAck()),
    );
  }

  /** For the uplink: retained acks come now, if there are any. */
  onSubscribed(): void {
    this.#subscribed();
  }

  /** Lists the faults by kind, in plain words; empty lists when all is well. */
  findings(): GatewayFindings {
    const { clock, spool, meters, real } = this.#o;
    const isNew = this.#step && real.monotonicMs() < this.#step.untilMs;
    return {
      enrolment: meters.filter(({ enrolled }) => !enrolled).flatMap((meter) => meter.problems()),
      meters: meters.filter(({ enrolled }) => enrolled).flatMap((meter) => meter.problems()),
      restored: this.#jumps,
      background: [...this.#failing].map(([what, why]) => `${what}: ${why}`),
      spool: spool.problem(),
      broker: this.#uplink?.problem ?? null,
      clock: this.#synchronised()
        ? null
        : `the clock is not synchronised: no statement is signed (${clockText(clock)})`,
      step: isNew ? (this.#step?.words ?? null) : null,
    };
  }

  /** Records that no threshold of oracles has acknowledged. */
  spoolDepth(): number {
    const { spool, acks, meters } = this.#o;
    return meters.reduce((sum, { id }) => sum + spool.count(id, acks.acknowledged(id) + 1n, spool.highest(id)), 0);
  }

  /** Runs until aborted; what was committed by then is safe. */
  async run(uplink: Uplink, outbox: Outbox, signal: AbortSignal): Promise<void> {
    this.#uplink = uplink;
    this.#outbox = outbox;
    const work = [uplink.run(signal), this.#keep(signal)];
    await this.#firstContact(signal);
    if (!signal.aborted) {
      await this.#afterAcks.run(() => this.#followAck());
      await this.#startLogs(signal);
      this.#clockWatch = new ClockWatch(this.#o.clock, this.#o.real);
      uplink.release();
      work.push(this.#closeGate(signal), ...this.#o.meters.map((meter) => meter.run(() => this.#canClose(), signal)));
    }
    await Promise.all(work);
    await this.#save();
  }

  /** Waits for the first ack, for retained acks that do not come, or for a broker that does not answer. */
  async #firstContact(signal: AbortSignal): Promise<void> {
    const { real } = this.#o;
    const acked = new Promise<void>((resolve) => {
      this.#contact = resolve;
    });
    const silent = new Promise<void>((resolve) => {
      this.#subscribed = () => void pause(real, RETAINED_ACK_MS, signal).then(resolve);
    });
    const connected = new Promise<void>((resolve) => {
      const before = this.#subscribed;
      this.#subscribed = () => {
        before();
        resolve();
      };
    });
    const offline = Promise.race([pause(real, OFFLINE_MS, signal).then(() => false), connected.then(() => true)]);
    await Promise.race([
      acked,
      offline.then((isConnected) => (isConnected ? Promise.race([acked, silent]) : undefined)),
    ]);
    if (this.#ackSeen && this.#o.oracles > 1) await pause(real, OTHER_ACKS_MS, signal);
  }

  /** Event 1 and what is missing; waits for a disk that does not take writes. */
  async #startLogs(signal: AbortSignal): Promise<void> {
    const { real, acks, softwareHash, configHash, tornRecords, random } = this.#o;
    const backoff = new Backoff(100, 10_000, random);
    for (const meter of this.#o.meters.filter(({ enrolled }) => enrolled)) {
      while (!signal.aborted) {
        try {
          const storedThrough = acks.acknowledged(meter.id);
          await meter.log.start(meter.recovered, { softwareHash, configHash, storedThrough, tornRecords });
          this.#failing.delete(`meter ${meter.name} cannot start`);
          break;
        } catch (error) {
          this.#failing.set(`meter ${meter.name} cannot start`, textOf(error));
          this.#report(`meter ${meter.name} cannot start`, error);
          await pause(real, backoff.next(), signal);
        }
      }
    }
  }

  /** Closing waits for the first ack, at most for `NO_ORACLE_MS`. */
  async #closeGate(signal: AbortSignal): Promise<void> {
    const { real, meters } = this.#o;
    const until = real.monotonicMs() + NO_ORACLE_MS;
    while (!this.#ackSeen && real.monotonicMs() < until && !signal.aborted) await pause(real, 200, signal);
    if (signal.aborted) return;
    if (!this.#ackSeen) {
      for (const { log, enrolled } of meters) {
        if (enrolled) await log.event(EventCode.startedWithoutOracle).catch((error) => this.#report('event 11', error));
      }
    }
    this.#mayClose = true;
  }

  #canClose(): boolean {
    return this.#mayClose && this.#synchronised();
  }

  #synchronised(): boolean {
    const uncertainty = this.#o.clock.uncertaintyMs();
    return uncertainty !== null && uncertainty <= SYNCHRONISED_UNCERTAINTY_MS;
  }

  /** What a new ack asks for: going on above seqs that were seen, and declaring what was refused for good. */
  async #followAck(): Promise<void> {
    const { meters, acks, clock, log } = this.#o;
    for (const meter of meters) {
      const seen = acks.highest(meter.id);
      if (meter.enrolled && seen.highestSeen >= meter.log.nextSeq) {
        log.warn({ meter: meter.name, highestSeen: seen.highestSeen.toString() }, 'an older image was restored');
        const done = await meter.log.continueAfterRestore(seen, windowOf(clock.nowMs()));
        if (!done) {
          const what = `an oracle has seen seq ${seen.highestSeen} of ${meter.name}, far above ours: refused, ask your utility`;
          this.#jumps = [...new Set([...this.#jumps, what])];
        }
      }
      if (meter.enrolled) await this.#declareGone(meter);
      if (acks.refusals > 0) await this.#declareDead(meter);
    }
  }

  /**
   * What was acknowledged once may be gone from the spool: an oracle that lacks it again (a lost or restored ledger) is
   * told that it will never come, and goes on above it.
   */
  async #declareGone(meter: Metered): Promise<void> {
    const { id } = meter;
    const acknowledged = this.#o.acks.acknowledged(id);
    const before = this.#reached.get(id) ?? 0n;
    const reached = acknowledged > before ? acknowledged : before;
    this.#reached.set(id, reached);
    const from = this.lag(id)?.from ?? acknowledged;
    if (from >= reached) this.#lookedFrom.delete(id);
    else if (this.#lookedFrom.get(id) !== from) {
      await meter.log.declareGone(from + 1n, reached);
      this.#lookedFrom.set(id, from);
    }
  }

  async #declareDead(meter: Metered): Promise<void> {
    const { acks, spool, real, log } = this.#o;
    const pace = this.#declare.get(meter.id);
    const dead = this.#dead.get(meter.id);
    if (!pace || !dead || real.monotonicMs() < pace.notBefore) return;
    pace.notBefore = real.monotonicMs() + LOOK_MS;
    const records = await spool.read(meter.id, acks.acknowledged(meter.id) + 1n, 4_000);
    const seqs = records
      .filter(({ seq, bytes }) => !dead.has(seq) && acks.isDead(toHex(shortHash(bytes))))
      .map(({ seq }) => seq);
    if (seqs.length === 0) {
      // Nothing of what was given up is still waited for: the next one is declared at once again.
      if (![...dead].some((seq) => seq > acks.acknowledged(meter.id))) pace.backoff.reset();
      return;
    }
    pace.notBefore = real.monotonicMs() + pace.backoff.next();
    log.warn({ meter: meter.name, messages: seqs.length }, 'refused by the oracles: kept here, declared as a gap');
    for (const seq of seqs) dead.add(seq);
    this.#o.counters.add('dead_letters', { meter: meter.id }, seqs.length);
    await meter.log.declareRefused(rangesOf(seqs));
  }

  /** Background work in real time: saves acks, looks after dead letters again, keeps the spool within its bytes. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { real, spool, spoolMaxBytes, acks } = this.#o;
    while (!signal.aborted) {
      await pause(real, SAVE_MS, signal);
      await this.#save();
      await this.#tellClock();
      await this.#attempt(
        'after an ack',
        this.#afterAcks.run(() => this.#followAck()),
      );
      await this.#attempt(
        'trim',
        spool.trim(spoolMaxBytes, (meter) => this.#safeThrough(meter, acks)),
      );
    }
  }

  /** Events 3 and 4 in the chain of each meter: its readings depend on the clock. */
  async #tellClock(): Promise<void> {
    for (const change of this.#clockWatch?.look() ?? []) {
      this.#o.log.warn({ event: change.code, value: BigInt.asIntN(64, change.value).toString() }, 'the clock changed');
      if (change.code === EventCode.clockStepped) this.#stepped(BigInt.asIntN(64, change.value));
      for (const { log, enrolled } of this.#o.meters) {
        if (!enrolled) continue;
        await log.event(change.code, change).catch((error) => this.#report(`event ${change.code}`, error));
      }
    }
  }

  #stepped(ms: bigint): void {
    const seconds = Number(ms < 0n ? -ms : ms) / 1_000;
    const words = `the clock was set ${ms < 0n ? 'back' : 'forward'} by ${seconds} s`;
    this.#step = { words, untilMs: this.#o.real.monotonicMs() + STEP_SHOWN_MS };
  }

  /** Acknowledged, and not needed for the root of a window that is still open. */
  #safeThrough(id: MeterId, acks: AckBook): bigint {
    const acknowledged = acks.acknowledged(id);
    const covered = this.#o.meters.find((meter) => meter.id === id)?.log.statedThrough ?? 0n;
    return acknowledged < covered ? acknowledged : covered;
  }

  async #save(): Promise<void> {
    if (!this.#acksChanged) return;
    this.#acksChanged = false;
    await this.#attempt('saving acks', this.#o.saveAcks(this.#o.acks.encode()));
  }

  /** Waits for work in the background; what fails is named until it succeeds. */
  async #attempt(what: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
      this.#failing.delete(what);
    } catch (error) {
      this.#failing.set(what, textOf(error));
      this.#report(what, error);
    }
  }

  #report(what: string, error: unknown): void {
    this.#o.log.error({ what, error: textOf(error) }, 'not done');
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function rangesOf(seqs: readonly bigint[]): { first: bigint; last: bigint }[] {
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const seq of seqs) {
    const newest = ranges.at(-1);
    if (newest && newest.last + 1n === seq) newest.last = seq;
    else ranges.push({ first: seq, last: seq });
  }
  return ranges;
}

function clockText(clock: ReadingClock): string {
  const uncertainty = clock.uncertaintyMs();
  return uncertainty === null ? 'its error is unknown' : `it may be wrong by ${Math.ceil(uncertainty / 1000)} s`;
}
