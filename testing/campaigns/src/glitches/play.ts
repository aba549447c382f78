import { WINDOW_MS, type Window, windowOf, windowStartAtMs } from '@gridtokenx/protocol';
import { Random } from '@gridtokenx/testing-kit/random';
import type { RegisterJudge, RegisterJudgeOptions } from '#edge/domain/metering/register-judge.js';
import { ReadError, ReadFailure } from '#edge/domain/ports.js';
import { TYPE_REGISTERS } from '#edge/profiles/register.js';
import type { Outcome } from '../campaign.js';
import { SignedChecks } from './checks.js';
import { distortBytes, distortedValues, drawIncidents, type Incident, isExchange } from './incidents.js';
import { bytesOf, ENCODINGS, type Encoding, MAX_START_WH, mapOf, stepWh, TrueEnergy } from './meter.js';
import { Home } from './world.js';

const START_MS = Date.UTC(2026, 5, 1, 8, 0);
/** Windows with disturbances, and quiet ones behind them: a register that came back has its statement then. */
const WINDOWS = 6;
const QUIET_WINDOWS = 3;
/** A disturbance lasts at most 80 minutes beyond its begin. */
const TAIL_MS = 100 * 60_000;
/** Coarsest exponent that a scale factor takes in a world. */
const MAX_EXPONENT = 2;
const KEYS = ['importWh', 'exportWh'] as const;
/** Serial number of the meter that was enrolled. */
const SERIAL = 'A1';

export interface PlayOptions {
  readonly makeJudge?: (options: RegisterJudgeOptions) => RegisterJudge;
}

/** Plays one meter through disturbances that the seed draws, and checks all that was signed. */
export async function playSeed(seed: number, options: PlayOptions = {}): Promise<Outcome> {
  const world = new GlitchWorld(new Random(seed, 'glitches'), options);
  await world.run();
  return world.outcome();
}

class GlitchWorld {
  readonly #encoding: Encoding;
  readonly #incidents: readonly Incident[];
  readonly #reads = new Map<Incident, number>();
  readonly #energy: TrueEnergy;
  readonly #checks: SignedChecks;
  readonly #home: Home;
  readonly #limitW: number;
  readonly #isSwapped: boolean;
  readonly #figures: Record<string, number> = {};
  readonly #endAtMs: number;
  #exchange: Incident | null = null;

  constructor(random: Random, { makeJudge }: PlayOptions) {
    this.#encoding = random.pick(ENCODINGS);
    this.#limitW = random.pick([3_000, 10_000, 15_000, 60_000]);
    this.#isSwapped = this.#encoding.type === 'f32' && random.chance(0.3);
    const lengthMs = WINDOWS * WINDOW_MS;
    this.#endAtMs = START_MS + lengthMs + TAIL_MS + QUIET_WINDOWS * WINDOW_MS;
    this.#incidents = this.#isSwapped ? [] : drawIncidents(random, this.#encoding, lengthMs);
    const start = () => (this.#isSwapped || random.chance(0.1) ? 0 : random.int(0, MAX_START_WH));
    const [importWh, exportWh] = [start(), start()];
    const span = { startAtMs: START_MS, lengthMs: this.#endAtMs - START_MS };
    this.#energy = new TrueEnergy(random, { ...span, limitW: this.#limitW, importWh, exportWh });
    const step = stepWh(this.#encoding, 0);
    const shown = (wh: number) => BigInt(Math.floor(wh / step) * step);
    const enrolled = { importWh: shown(importWh), exportWh: shown(exportWh) };
    const stepsWh = 2 * stepWh(this.#encoding, this.#encoding.hasFactor ? MAX_EXPONENT : 0) + 1;
    const truth = (timeMs: number) => (this.#exchange ? null : this.#energy.at(timeMs));
    this.#checks = new SignedChecks({ truth, limitW: this.#limitW, startAtMs: START_MS, stepsWh, enrolled });
    this.#stepsWh = stepsWh;
    const serial = async () => (this.#exchange?.kind === 'exchange serial' ? 'B2' : SERIAL);
    const map = mapOf(this.#encoding);
    this.#map = map;
    this.#home = new Home({
      ...{ startAtMs: START_MS, map, limitW: this.#limitW, enrolled, makeJudge },
      answer: () => this.#answer(),
      serial: SERIAL,
      readSerial: this.#incidents.some(({ kind }) => kind === 'exchange serial') ? serial : undefined,
      pollMs: random.pick([10_000, 30_000, 60_000, 60_000, 300_000]),
      committed: (payload) => this.#checks.take(payload),
    });
  }
  readonly #stepsWh: number;
  readonly #map: ReturnType<typeof mapOf>;

  async run(): Promise<void> {
    const { clock } = this.#home;
    await clock.run(this.#home.start());
    for (const incident of this.#incidents) {
      this.#figures[incident.kind] = (this.#figures[incident.kind] ?? 0) + 1;
      const atMs = START_MS + incident.fromMs;
      if (atMs > clock.reading.nowMs()) await clock.advance(atMs - clock.reading.nowMs());
      if (incident.kind === 'restart') await this.#restart(incident);
      if (isExchange(incident.kind)) await this.#exchangeMeter(incident);
    }
    this.#home.isClockKnown = true;
    await clock.advance(this.#endAtMs - clock.reading.nowMs());
    await this.#home.stop();
  }

  /** Stops the gateway for some time; two starts of ten do not know the time at first. */
  async #restart({ fromMs, untilMs, size }: Incident): Promise<void> {
    const { clock } = this.#home;
    await this.#home.stop();
    await clock.advance(untilMs - fromMs);
    this.#home.isClockKnown = size >= 2;
    await clock.run(this.#home.start());
  }

  /** Takes the meter off the line for five minutes; another one answers after that. */
  async #exchangeMeter(incident: Incident): Promise<void> {
    this.#exchange = incident;
    this.#figures[`noticed ${incident.kind}`] ??= 0;
  }

  /** Answers a read as the meter does at this moment. */
  #answer(): Uint8Array {
    const nowMs = this.#home.clock.reading.nowMs();
    const active = this.#incidents.filter((incident) => this.#isActive(incident, nowMs - START_MS));
    for (const incident of active) this.#reads.set(incident, (this.#reads.get(incident) ?? 0) + 1);
    if (active.some(({ kind }) => kind === 'gap')) throw new ReadError(ReadFailure.timeout, 'no answer in time');
    const exchange = this.#exchange;
    if (exchange && nowMs - START_MS - exchange.fromMs < EXCHANGE_MS)
      throw new ReadError(ReadFailure.timeout, 'no answer in time');
    let shown = { ...this.#energy.at(nowMs), exponent: 0 };
    if (exchange) shown = { ...shown, ...this.#exchanged(exchange, shown) };
    const step = stepWh(this.#encoding, 0);
    for (const incident of active) shown = { ...shown, ...distortedValues(incident, shown, step) };
    const bytes = bytesOf(this.#map, this.#encoding, shown, this.#isSwapped);
    for (const incident of active) distortBytes(incident, bytes, 4 * TYPE_REGISTERS[this.#encoding.type]);
    return bytes;
  }

  #isActive(incident: Incident, sinceMs: number): boolean {
    const isOver = sinceMs >= incident.untilMs || (this.#reads.get(incident) ?? 0) >= incident.reads;
    return !isExchange(incident.kind) && incident.kind !== 'restart' && sinceMs >= incident.fromMs && !isOver;
  }

  /** Registers of the other meter. Within the bound nobody can notice it without a serial number. */
  #exchanged({ kind, size, fromMs }: Incident, shown: { importWh: number; exportWh: number }) {
    const { importWh, exportWh } = this.#energy.at(START_MS + fromMs);
    const since = { importWh: shown.importWh - importWh, exportWh: shown.exportWh - exportWh };
    if (kind === 'exchange lower') return { importWh: since.importWh, exportWh: since.exportWh };
    const more = kind === 'exchange beyond' ? size * 10 * this.#limitW : size;
    return { importWh: shown.importWh + more, exportWh: shown.exportWh };
  }

  outcome(): Outcome {
    const { faults } = this.#checks;
    this.#figures.readings = this.#checks.readings.length;
    this.#figures.statements = this.#checks.statements.length;
    if (this.#isSwapped) this.#judgeSwapped();
    else if (this.#exchange) this.#judgeExchange(this.#exchange);
    else this.#judgeReturn();
    return { faults, figures: this.#figures };
  }

  /** A profile with swapped words must sign nothing: what it decodes is no value of this meter. */
  #judgeSwapped(): void {
    this.#figures.swapped = 1;
    if (this.#checks.readings.length > 0) this.#checks.faults.push('signed readings of a meter with swapped words');
  }

  #judgeExchange({ kind, fromMs }: Incident): void {
    const atMs = START_MS + fromMs;
    const isLower = KEYS.some((key) => this.#energy.at(atMs)[key] > 1_000 + 10 * this.#stepsWh);
    if (kind === 'exchange within' || (kind === 'exchange lower' && !isLower)) {
      this.#figures.undetectable = (this.#figures.undetectable ?? 0) + 1;
      return;
    }
    const isNoticed = this.#checks.notices.some(({ timeMs }) => timeMs >= atMs);
    // A doubt that already lasts is the notice: only its begin is an event.
    const wasOpen = this.#checks.notices.at(-1)?.detail !== 7 && this.#checks.notices.length > 0;
    if (isNoticed || wasOpen) this.#figures[`noticed ${kind}`] = (this.#figures[`noticed ${kind}`] ?? 0) + 1;
    else this.#checks.faults.push(`an ${kind} was not noticed`);
  }

  /** A register that came back where it was has its statement of the last full window. */
  #judgeReturn(): void {
    const { lastGood, statements, faults } = this.#checks;
    const last: Window = windowOf(this.#endAtMs - 60_000);
    const endAtMs = windowStartAtMs(last);
    const truth = this.#energy.at(endAtMs);
    const now = this.#energy.at(this.#endAtMs);
    if (KEYS.some((key) => Number(lastGood[key]) > now[key] + this.#stepsWh)) {
      // A value within the bound, above the truth: nobody can tell it from energy.
      this.#figures.ahead = 1;
      return;
    }
    const found = statements.find(({ window }) => window === last - 1);
    if (!found) {
      faults.push(`no statement of window ${last - 1}, although the registers came back`);
      return;
    }
    for (const key of KEYS) {
      const mostAgoWh = (this.#limitW * 60_000) / 3_600_000;
      if (Number(found[key]) < truth[key] - mostAgoWh - this.#stepsWh)
        faults.push(`the statement of window ${last - 1} has ${key} ${found[key]}, the truth is ${truth[key]}`);
    }
  }
}

/** Time for which a meter is off the line while somebody exchanges it, ms. */
const EXCHANGE_MS = 300_000;
