import { type Ack, EventCode, type MeterId, type PublicKeyText, windowOf } from '@gridtokenx/protocol';
import {
  type Clock,
  type Logger,
  Mutex,
  type Random,
  type ReadingClock,
  StateLog,
  sleep,
} from '@gridtokenx/runtime/core';
import { Background } from './background.js';
import { AckEffect, type AckTracker } from './delivery/ack-tracker.js';
import type { DeadLetters } from './delivery/dead-letters.js';
import type { LagWatch } from './delivery/lag-watch.js';
import type { SendScheduler } from './delivery/send-scheduler.js';
import { SpoolUpkeep } from './delivery/spool-upkeep.js';
import type { Uplink } from './delivery/uplink.js';
import { FirstContact } from './first-contact.js';
import { ClockNews } from './metering/clock-news.js';
import type { Meter } from './metering/meter.js';
import type { Spool } from './ports.js';
import { startLogs } from './start-logs.js';

/** Wait with several oracles, ms: the others' retained acks follow the first at once. */
const OTHER_ACKS_MS = 200;
/** Time without any ack after which event 11 is signed and windows are closed all the same, ms. */
const NO_ORACLE_MS = 30_000;
const GATE_LOOK_MS = 200;
const MAINTAIN_MS = 2_000;
/** Interval of writing the newest acks, ms: their loss costs a resend, and each write wears the card. */
const SAVE_MS = 60_000;

/** A source of signed messages: a meter, or a point that is derived from two meters. */
export type Metered = Pick<Meter, 'id' | 'name' | 'journal' | 'recovered' | 'enrolled' | 'problems' | 'view' | 'run'>;

export interface GatewayOptions {
  readonly meters: readonly Metered[];
  readonly oracles: number;
  readonly spool: Spool;
  readonly spoolMaxBytes: number;
  /** Says what of the data directory could not be used at the start. */
  readonly notes?: readonly string[];
  readonly acks: AckTracker;
  readonly deadLetters: DeadLetters;
  readonly lags: LagWatch;
  /** Keeps the newest acks over a restart; their loss costs only a resend. */
  readonly saveAcks: (text: string) => Promise<void>;
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Names clock sources that contradict each other; null while none do. */
  readonly clockProblem?: () => string | null;
  /** Called for an ack that says nothing new. */
  readonly onIgnoredAck: () => void;
  /** 16 bytes, like `configHash`. */
  readonly softwareHash: Uint8Array;
  readonly configHash: Uint8Array;
  /** Count of records that this start may have cut from the ends of segments. */
  readonly tornRecords: number;
}

/** Lists the faults of a gateway, by kind. */
export interface GatewayFindings {
  /** Meters and points without an enrolment. */
  readonly enrolment: readonly string[];
  readonly meters: readonly string[];
  /** Meters whose seqs at the oracles are too far above ours, after an older image was restored. */
  readonly restored: readonly string[];
  /** Meters that cannot start, and background work that fails. */
  readonly background: readonly string[];
  readonly spool: string | null;
  readonly broker: string | null;
  /** Names another gateway that uses this gateway's key. */
  readonly clone: string | null;
  /** Says why no statement is signed, and which sources contradict each other; empty when statements are signed. */
  readonly clock: readonly string[];
  /** Describes the last step of the clock; null when there was none lately. */
  readonly step: string | null;
}

/**
 * Runs the whole gateway. After a start: contact (or the lack of it), restored image, event 1 and gaps, then polls.
 * Windows are closed after the first ack, or after event 11 is signed [gateway §9].
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #afterAcks = new Mutex();
  readonly #contact: FirstContact;
  readonly #clockNews: ClockNews;
  readonly #background: Background;
  #uplink: Uplink | null = null;
  #outbox: SendScheduler | null = null;
  #ackSeen = false;
  #mayClose = false;
  #acksChanged = false;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  /** True once event 1 of each meter is signed. */
  #isStarted = false;
  readonly #upkeep: SpoolUpkeep;
  readonly #states: StateLog;
  /** Meters whose seqs an oracle has seen far above ours. */
  readonly #jumps = new Set<string>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { readingClock, clock, log } = options;
    this.#contact = new FirstContact(clock);
    this.#clockNews = new ClockNews(readingClock, clock, log);
    this.#background = new Background(log, clock);
    this.#states = new StateLog(log, clock);
    this.#upkeep = new SpoolUpkeep(options);
  }

  get #enrolled(): readonly Metered[] {
    return this.#options.meters.filter(({ enrolled }) => enrolled);
  }

  /** Records a genuine ack; the uplink calls it. */
  onAck(oracle: PublicKeyText, ack: Ack): void {
    const { acks, lags, clock, onIgnoredAck } = this.#options;
    const effect = acks.accept(oracle, ack);
    if (effect === AckEffect.older) {
      onIgnoredAck();
      return;
    }
    lags.heard(oracle);
    this.#ackSeen = true;
    this.#contact.acked();
    if (effect === AckEffect.same) return;
    this.#acksChanged = true;
    if (effect === AckEffect.fallenBack) this.#outbox?.fallenBack(clock.monotonicMs());
    this.#uplink?.poke();
    void this.#followAck();
  }

  /** Records that retained acks arrive now, if there are any; the uplink calls it. */
  onSubscribed(): void {
    this.#contact.subscribed();
  }

  /** True while statements may be signed by the clock. */
  get isSynchronised(): boolean {
    return this.#clockNews.isSynchronised;
  }

  /** Lists the faults by kind, in plain words; empty lists when all is well. */
  findings(): GatewayFindings {
    const { spool, meters } = this.#options;
    return {
      enrolment: meters.filter(({ enrolled }) => !enrolled).flatMap((meter) => meter.problems()),
      meters: this.#enrolled.flatMap((meter) => meter.problems()),
      restored: [...this.#jumps],
      background: [...(this.#options.notes ?? []), ...this.#background.problems],
      spool: spool.problem(),
      broker: this.#uplink?.problem ?? null,
      clone: this.#uplink?.cloneProblem ?? null,
      clock: [this.#options.clockProblem?.(), this.#clockNews.problem].filter((words) => typeof words === 'string'),
      step: this.#clockNews.step,
    };
  }

  /** Counts the records that no threshold of oracles has acknowledged. */
  spoolDepth(): number {
    const { spool, acks, meters } = this.#options;
    return meters.reduce((sum, { id }) => sum + spool.count(id, acks.acknowledged(id) + 1n, spool.highest(id)), 0);
  }

  /** Runs until aborted; everything committed before the abort is safe. */
  async run(uplink: Uplink, outbox: SendScheduler, signal: AbortSignal): Promise<void> {
    this.#uplink = uplink;
    this.#outbox = outbox;
    const work = [uplink.run(signal), this.#maintain(signal)];
    await this.#contact.wait(signal);
    if (this.#ackSeen && this.#options.oracles > 1) await sleep(this.#options.clock, OTHER_ACKS_MS, signal);
    if (!signal.aborted) {
      await this.#afterAcks.run(() => this.#processAcks());
      await startLogs(this.#enrolled, { ...this.#options, background: this.#background }, signal);
      this.#isStarted = true;
      this.#clockNews.begin();
      uplink.release();
      work.push(
        this.#closeGate(signal),
        ...this.#options.meters.map((meter) => meter.run(() => this.#canClose(), signal)),
      );
    }
    await Promise.all(work);
    await this.#save();
  }

  /** Waits for the first ack before windows may be closed, at most for `NO_ORACLE_MS`. */
  async #closeGate(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const until = clock.monotonicMs() + NO_ORACLE_MS;
    while (!this.#ackSeen && clock.monotonicMs() < until && !signal.aborted) await sleep(clock, GATE_LOOK_MS, signal);
    if (signal.aborted) return;
    if (!this.#ackSeen) await this.#event(EventCode.startedWithoutOracle);
    this.#mayClose = true;
  }

  /** Signs the same event in the chain of each meter; reports a disk that refuses it. */
  async #event(code: number, fields: { readonly value?: bigint; readonly detail?: number } = {}): Promise<void> {
    const what = `event ${code}`;
    for (const { journal } of this.#enrolled)
      await journal.event(code, fields).then(
        () => this.#background.succeeded(what),
        (error) => this.#background.report(what, error),
      );
  }

  #canClose(): boolean {
    return this.#mayClose && this.#clockNews.isSynchronised;
  }

  #followAck(): Promise<void> {
    return this.#background.attempt(
      'after an ack',
      this.#afterAcks.run(() => this.#processAcks()),
    );
  }

  /**
   * Reacts to a new ack: continues above seqs that oracles have seen, and declares messages that are lost or refused
   * for good.
   */
  async #processAcks(): Promise<void> {
    const { meters, deadLetters, lags } = this.#options;
    for (const meter of meters) {
      if (meter.enrolled) await this.#continueAboveSeen(meter);
      if (meter.enrolled) await lags.declareGone(meter);
      await deadLetters.declare(meter);
    }
  }

  /**
   * Continues above the seqs that an oracle has seen. Seqs that this gateway does not know show that an older image was
   * restored.
   */
  async #continueAboveSeen({ id, name, journal }: Metered): Promise<void> {
    const seen = this.#options.acks.highest(id);
    const isAbove = seen.highestSeen >= journal.nextSeq;
    const isForeign = !isAbove && seen.highestSeen >= journal.runFirstSeq && seen.highestSeen > this.#sentThrough(id);
    if (!isAbove && !isForeign) return;
    if (isForeign) this.#uplink?.foreignMessage(name);
    const fields = { event: 'older_image_restored', meter: name, highestSeen: seen.highestSeen.toString() };
    this.#states.holds(id, fields, 'Somebody restored an older image of the data directory, or uses a copy of it');
    const windowNow = this.isSynchronised ? windowOf(this.#options.readingClock.nowMs()) : null;
    if (await journal.continueAfterRestore(seen, windowNow, isForeign)) {
      this.#states.ended(id, { event: 'restored_meter_continues', meter: name }, 'The meter goes on above these seqs');
      return;
    }
    this.#jumps.add(
      `an oracle has seen seq ${seen.highestSeen} of ${name}, far above ours: the gateway refuses to continue there, ask your utility`,
    );
  }

  #sentThrough(id: MeterId): bigint {
    return this.#uplink?.sentThrough(id) ?? 0n;
  }

  /** Runs background work in real time: saves acks, declares what is gone, keeps the spool within its bytes. */
  async #maintain(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await sleep(clock, MAINTAIN_MS, signal);
      if (clock.monotonicMs() - this.#savedAtMs >= SAVE_MS) await this.#save();
      for (const change of this.#clockNews.changes()) await this.#event(change.code, change);
      await this.#followAck();
      // A gap may be declared once event 1 of this run is signed.
      if (this.#isStarted) await this.#background.attempt('keeping the spool', this.#upkeep.run(this.#enrolled));
    }
  }

  async #save(): Promise<void> {
    if (!this.#acksChanged) return;
    this.#acksChanged = false;
    this.#savedAtMs = this.#options.clock.monotonicMs();
    await this.#background.attempt('saving acks', this.#options.saveAcks(this.#options.acks.encode()));
  }
}
