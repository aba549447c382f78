import {
  type ClosedSpan,
  closeSpan,
  earliestWindow,
  goodPairs,
  isAttestable,
  type MeterId,
  openPoint,
  type PointInput,
  type PointState,
  type PointStatement,
  pointStatement,
  type RegisterPair,
  type Statement,
  type Window,
  windowEndAtMs,
} from '@gridtokenx/protocol';
import { type Clock, type Logger, sleep } from '@gridtokenx/runtime/core';

import type { MeterJournal } from './meter-journal.js';
import type { RecoveredMeter } from './recovery.js';

/**
 * Bound of the statements that wait for their counterpart, 30 days of windows. Older ones are dropped, and the span
 * grows.
 */
const MAX_WAITING = 2_880;
/** Lag behind the other meter, in windows, above which the point names a meter. */
const BEHIND_WINDOWS = 4;
/** Interval of retries, ms: no event announces that statements may be signed again, or that the disk accepts writes. */
const LOOK_MS = 500;

export type Side = 'production' | 'consumption';
const SIDES = ['production', 'consumption'] as const;

/** A statement of one of the two meters, with its seq. */
export type SeqInput = PointInput & Pick<Statement, 'seq'>;

/** Fate of a message: *acknowledged* by enough oracles, *refused* for good, or *open*. */
export const Fate = { acknowledged: 'acknowledged', refused: 'refused', open: 'open' } as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/** Queues the good statements of both meters that have no counterpart yet. Pure. */
export class PairQueue {
  readonly #waiting: Record<Side, SeqInput[]> = { production: [], consumption: [] };
  /** Newest window of each meter, whatever its quality. */
  readonly newest: Record<Side, Window | null> = { production: null, consumption: null };

  /** Adds a statement of one of the meters; its windows rise. */
  add(side: Side, input: SeqInput): void {
    const newest = this.newest[side];
    if (newest !== null && input.window <= newest) return;
    this.newest[side] = input.window;
    if (!isAttestable(input.quality)) return;
    const list = this.#waiting[side];
    list.push(input);
    if (list.length > MAX_WAITING) list.shift();
  }

  /** Returns the oldest window with a good statement of both meters; it stays until `pass`. */
  next(): Readonly<Record<Side, SeqInput>> | null {
    for (const [p, c] of goodPairs(this.#waiting.production, this.#waiting.consumption))
      return { production: p, consumption: c };
    const { production, consumption } = this.newest;
    // Where both meters have newer windows, a window without a pair will never have one.
    if (production !== null && consumption !== null) this.pass(earliestWindow(production, consumption));
    return null;
  }

  /** Drops every statement up to `window`. */
  pass(window: Window): void {
    for (const list of Object.values(this.#waiting)) while (list[0] && list[0].window <= window) list.shift();
  }
}

export interface PointMeter {
  readonly id: MeterId;
  readonly name: string;
}

export interface ConnectionPointOptions {
  readonly name: string;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly meters: Readonly<Record<Side, PointMeter>>;
  /** Statements of the meters that are in the spool and not derived from yet, windows rising. */
  readonly inputs: Readonly<Record<Side, readonly SeqInput[]>>;
  /** Returns the oracles' decision on a meter's message. */
  readonly fate: (meterId: MeterId, seq: bigint) => Fate;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Derives a connection point from the statements of a production and a consumption meter [wire §5], [gateway §12].
 * Counts only statements that oracles have acknowledged. Stores its state with each statement that it signs, so that a
 * run after a crash derives the same again.
 */
export class ConnectionPoint {
  readonly name: string;
  readonly id: MeterId;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly enrolled: boolean;
  readonly #options: ConnectionPointOptions;
  readonly #pairs = new PairQueue();
  /** Null before the first statement. */
  #state: PointState | null;
  /** True when the spool has its own statements, but not those that the last one was derived from. */
  readonly #isLost: boolean;
  #last: { readonly statement: PointStatement; readonly surplusWh: bigint } | null = null;
  #problem: string | null = null;
  #wake: () => void = () => {};

  constructor(options: ConnectionPointOptions) {
    this.#options = options;
    this.name = options.name;
    this.journal = options.journal;
    this.id = options.journal.id;
    this.recovered = options.recovered;
    this.enrolled = options.recovered.enrolment !== null;
    const { state, isLost } = stateOf(options);
    this.#state = state;
    this.#isLost = isLost;
    for (const side of SIDES) for (const input of options.inputs[side]) this.#pairs.add(side, input);
  }

  /** Records a committed statement of one of its meters. */
  add(side: Side, input: SeqInput): void {
    this.#pairs.add(side, input);
    this.#wake();
  }

  problems(): string[] {
    const of = `point ${this.name}`;
    if (!this.enrolled) return [`${of} is not enrolled: run "enrol"`];
    if (this.#isLost)
      return [`${of}: the disk no longer has the statements behind its last one: enrol the point under a new name`];
    const list = this.#problem ? [`${of}: ${this.#problem}`] : [];
    const { production, consumption } = this.#pairs.newest;
    if (production !== null && consumption !== null && Math.abs(production - consumption) >= BEHIND_WINDOWS) {
      const [side, window] =
        production < consumption ? (['production', production] as const) : (['consumption', consumption] as const);
      const since = new Date(windowEndAtMs(window)).toISOString().slice(0, 16);
      list.push(
        `${of} waits for its ${side} meter ${this.#options.meters[side].name}: no statement since ${since} UTC`,
      );
    }
    return list;
  }

  /** Describes the point for people; 64-bit numbers as text. */
  view(): Record<string, unknown> {
    const { production, consumption } = this.#options.meters;
    const last = this.#last;
    return {
      name: this.name,
      meter_id: this.id,
      role: 'point',
      profile: `derived from ${production.name} and ${consumption.name}`,
      derived_from: { production: production.id, consumption: consumption.id },
      enrolled: this.enrolled,
      signer: 'gateway',
      next_seq: this.journal.nextSeq.toString(),
      reading: null,
      statement: last && {
        window: last.statement.window,
        import_wh: last.statement.importWh.toString(),
        export_wh: last.statement.exportWh.toString(),
        surplus_wh: last.surplusWh.toString(),
        quality: last.statement.quality,
      },
      counted_from_window: this.#state?.window ?? null,
      problems: this.problems(),
    };
  }

  /** Closes spans until aborted. `canClose`: returns true while clock and contact allow statements. */
  async run(canClose: () => boolean, signal: AbortSignal): Promise<void> {
    if (!this.enrolled || this.#isLost) return;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        while (!signal.aborted && canClose() && (await this.#closeNext()));
        this.#problem = null;
      } catch (error) {
        this.#problem = `the gateway signed nothing, because it could not store the state: ${error instanceof Error ? error.message : error}`;
      }
      await Promise.race([woken, sleep(this.#options.clock, LOOK_MS, signal)]);
    }
  }

  /**
   * Closes the oldest span that can be closed; returns false when there is none. Throws when its state cannot be
   * stored.
   */
  async #closeNext(): Promise<boolean> {
    const pair = this.#pairs.next();
    if (!pair) return false;
    const { production, consumption } = pair;
    const { window } = production;
    const fates = SIDES.map((side) => this.#options.fate(this.#options.meters[side].id, pair[side].seq));
    // Registers never fall, so a message that an oracle may yet refuse must not count: its energy would stay for good.
    if (fates.includes(Fate.refused)) {
      this.#pairs.pass(window);
      return true;
    }
    if (fates.includes(Fate.open)) return false;
    const isOver = window <= (this.#state?.window ?? -1) || window < (this.recovered.enrolment?.payload.window ?? 0);
    const closed = isOver ? null : this.#derive(production, consumption);
    if (closed) {
      const statement = pointStatement(closed.state, closed.isNewBase, production, consumption);
      // False after a restored image: this window may have a statement already, so the span continues.
      if (await this.journal.closeSpan(statement, closed.state)) this.#closed(closed, statement);
    }
    this.#pairs.pass(window);
    return true;
  }

  #derive(production: PointInput, consumption: PointInput): ClosedSpan {
    if (this.#state) return closeSpan(this.#state, production, consumption);
    const enrolled: RegisterPair = this.recovered.enrolment?.payload ?? { importWh: 0n, exportWh: 0n };
    return { state: openPoint(enrolled, production, consumption), surplusWh: 0n, isNewBase: false };
  }

  #closed({ state, surplusWh, isNewBase }: ClosedSpan, statement: PointStatement): void {
    this.#state = state;
    this.#last = { statement, surplusWh };
    const { window, importWh, exportWh, quality } = statement;
    this.#options.logger.info(
      {
        event: 'span_closed',
        point: this.name,
        window,
        import_wh: `${importWh}`,
        export_wh: `${exportWh}`,
        surplus_wh: `${surplusWh}`,
        quality,
      },
      isNewBase ? 'a register of a meter fell: counted from here' : 'span closed',
    );
  }
}

/**
 * Returns a point's state after a start: as stored, or derived. Where its newest statement is newer than its state
 * file, derives it from that statement and the two that it was derived from.
 */
function stateOf({ journal, recovered, inputs }: ConnectionPointOptions): {
  state: PointState | null;
  isLost: boolean;
} {
  const stored = journal.state.point;
  const stated = recovered.lastStatement;
  if (!stated || (stored && stored.window >= stated.window)) return { state: stored, isLost: false };
  const [production, consumption] = [inputs.production, inputs.consumption].map((list) =>
    list.find(({ window }) => window === stated.window),
  );
  if (!production || !consumption) return { state: null, isLost: true };
  return { state: openPoint(stated, production, consumption), isLost: false };
}
