import { EventCode, Kind, type Payload, Quality, type Reading, type Statement } from '@gridtokenx/protocol';

/** The true registers of the connection at a time, Wh; null after an exchange, when the meter shows another count. */
export type Truth = (timeMs: number) => { readonly importWh: number; readonly exportWh: number } | null;

const KEYS = ['importWh', 'exportWh'] as const;
/** Meters and clocks are not exact: a tenth on top, as the gateway and the chain allow. */
const MARGIN = 1.1;
const HOUR_MS = 3_600_000;

/** Checks every signed register against the truth: above what the connection can carry, or too low, is wrong. */
export class SignedChecks {
  readonly faults: string[] = [];
  readonly statements: Statement[] = [];
  readonly readings: Reading[] = [];
  /** Details of event 5 with their times. */
  readonly notices: { readonly detail: number; readonly timeMs: number }[] = [];
  readonly #truth: Truth;
  readonly #limitW: number;
  /** Last values that were signed and true, with their time. */
  readonly #lastTrue: Record<(typeof KEYS)[number], { wh: number; timeMs: number }>;
  #lastGood = { importWh: 0n, exportWh: 0n };
  /** Two steps of the coarsest resolution that the meter ever shows, Wh. */
  readonly #stepsWh: number;

  constructor(of: {
    truth: Truth;
    limitW: number;
    startAtMs: number;
    stepsWh: number;
    enrolled: { importWh: bigint; exportWh: bigint };
  }) {
    this.#truth = of.truth;
    this.#limitW = of.limitW;
    this.#stepsWh = of.stepsWh;
    const at = (key: (typeof KEYS)[number]) => ({ wh: Number(of.enrolled[key]), timeMs: of.startAtMs });
    this.#lastTrue = { importWh: at('importWh'), exportWh: at('exportWh') };
    this.#lastGood = of.enrolled;
  }

  get lastGood(): { readonly importWh: bigint; readonly exportWh: bigint } {
    return this.#lastGood;
  }

  take(payload: Payload): void {
    if (payload.kind === Kind.reading && (payload.quality & Quality.discontinuity) === 0) this.#reading(payload);
    else if (payload.kind === Kind.statement) this.#statement(payload);
    else if (payload.kind === Kind.event && payload.code === EventCode.registerDiscontinuity)
      this.notices.push({ detail: payload.detail, timeMs: Number(payload.timeMs) });
  }

  #reading(reading: Reading): void {
    const timeMs = Number(reading.timeMs);
    this.readings.push(reading);
    const truth = this.#truth(timeMs);
    for (const key of KEYS) {
      const wh = Number(reading[key]);
      if (reading[key] < this.#lastGood[key]) this.faults.push(`a signed ${key} fell to ${wh} at ${at(timeMs)}`);
      const last = this.#lastTrue[key];
      const most = (this.#limitW * MARGIN * (timeMs - last.timeMs)) / HOUR_MS;
      if (wh > last.wh + most + this.#stepsWh)
        this.faults.push(
          `signed ${key} ${wh} at ${at(timeMs)}: the connection carries at most ${last.wh + most} since`,
        );
      if (wh < last.wh - this.#stepsWh) this.faults.push(`signed ${key} ${wh} below ${last.wh} at ${at(timeMs)}`);
      const isTrue = truth !== null && Math.abs(wh - truth[key]) <= this.#stepsWh;
      if (isTrue) this.#lastTrue[key] = { wh, timeMs };
    }
    this.#lastGood = { importWh: reading.importWh, exportWh: reading.exportWh };
  }

  #statement(statement: Statement): void {
    const before = this.statements.at(-1);
    if (before && statement.window <= before.window)
      this.faults.push(`a statement of window ${statement.window} after one of ${before.window}`);
    for (const key of KEYS)
      if (statement[key] > this.#lastGood[key])
        this.faults.push(`the statement of window ${statement.window} is above the readings`);
    this.statements.push(statement);
  }
}

const at = (timeMs: number) => new Date(timeMs).toISOString().slice(11, 19);
