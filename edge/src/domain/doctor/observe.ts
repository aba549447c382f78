import { toHex } from '@gridtokenx/protocol';
import { leastLength } from '../../planner/lengths.js';
import { planReads } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { judgeProbe } from '../../profiles/probe.js';
import { type Block, decodeSample } from '../../profiles/sample.js';
import { CLOSES_AT_ONCE, describe } from '../bus/connection.js';
import { REFUSES_READ } from '../bus/exceptions.js';
import { NoAnswer } from '../bus/port.js';
import type { Line } from '../bus/ports.js';
import { LineGone } from '../bus/ports.js';
import { ReadLength } from '../bus/read-length.js';
import { ReplyQuarantine, USUAL_RULES } from '../bus/reply-quarantine.js';
import { BusStats } from '../bus/stats.js';
import { framerOf, Prober, type RecordingFramer, type Spoken } from '../scan/prober.js';
import { type Setting, sameSetting, speedOf } from '../scan/settings.js';
import type { ExamineOptions, ExamineTimes, LineObservation, UnitObservation } from './observation.js';
import { COST, longest, type Seen, sameFor, shorten, wantedOf } from './seen.js';

const TIMES: ExamineTimes = { listenMs: 3_000, lookMs: 15_000 };
/** Length of a round, ms: each meter gets one question in it. */
const ROUND_MS = 400;
const LOOK_EACH_MS = 1_000;
/**
 * Wait for a meter that has answered every question, ms. A time-out puts the question into quarantine for 12 times the
 * wait, so a short wait keeps it usable.
 */
const USUAL_MS = 300;
/** Questions to a meter that never answered. */
const MAX_SILENT = 3;
const ELSEWHERE_MS = 150;
const STRANGERS = Array.from({ length: 20 }, (_, i) => i + 1);
const LENGTHS = [2, 4, 6, 8, 10];

/**
 * Observes one bus for some seconds, by reads only, through the bus's own port. Never rejects for faults of the line.
 */
export async function examine(options: ExamineOptions): Promise<LineObservation> {
  return new Examination(options).run();
}

class Examination {
  readonly #options: ExamineOptions;
  readonly #quarantine = new ReplyQuarantine(USUAL_RULES);
  readonly #stats = new BusStats();
  readonly #framing: RecordingFramer;
  readonly #spoken: Spoken[] = [];
  #line: Line | null = null;
  #isEndless = false;

  constructor(options: ExamineOptions) {
    this.#options = options;
    this.#framing = framerOf(options.setting, this.#quarantine, options.firstId, options.anyUnits);
  }

  async run(): Promise<LineObservation> {
    const { setting, meters, signal } = this.#options;
    const seen = meters.map(
      (meter): Seen => ({
        meter,
        asked: 0,
        answered: 0,
        damaged: 0,
        silent: 0,
        slowestMs: 0,
        exceptions: [],
        readings: [],
        replies: new Map(),
        plan: planReads(wantedOf(meter.profile), meter.profile.limits, COST),
        lengths: new ReadLength(),
        next: 0,
        blocks: new Map(),
        elsewhere: null,
      }),
    );
    let problem: string | null = null;
    let noise = 0;
    let strangers: number[] = [];
    try {
      const prober = await this.#open(setting);
      await prober.listen((this.#options.times ?? TIMES).listenMs, signal);
      noise = this.#stats.counts.damaged;
      this.#hear();
      if (!this.#isForeign()) await this.#rounds(prober, seen);
      const lost = seen.filter((one) => one.answered === 0 && one.exceptions.length === 0);
      if (lost.length > 0 && !this.#isForeign() && !this.#isEndless) {
        strangers = await this.#strangers(prober);
        await this.#elsewhere(lost);
      }
    } catch (error) {
      const isUnheard =
        setting.transport !== 'serial' && seen.every((one) => one.answered + one.exceptions.length === 0);
      const isClosed =
        isUnheard &&
        error instanceof LineGone &&
        !(error.cause instanceof NoAnswer && error.cause.reason === 'violation');
      if (isClosed) problem = CLOSES_AT_ONCE;
      else problem = error instanceof LineGone ? `the line was lost: ${error.message}` : describe(error);
    } finally {
      await this.#close();
    }
    const { counts } = this.#stats;
    return {
      name: this.#options.name,
      setting,
      problem,
      spoken: this.#spoken,
      noise,
      isEndless: this.#isEndless,
      echoes: counts.echoes,
      waitMs: this.#options.waitMs,
      units: seen.map((one) => this.#unit(one)),
      strangers,
    };
  }

  async #open(setting: Setting): Promise<Prober> {
    await this.#close();
    const line = await this.#options.open(setting);
    this.#line = line;
    const [quarantine, stats, framing, clock] = [this.#quarantine, this.#stats, this.#framing, this.#options.clock];
    return new Prober({ line, speed: speedOf(setting), framing, quarantine, stats, clock });
  }

  async #close(): Promise<void> {
    const line = this.#line;
    this.#line = null;
    await line?.close();
  }

  #hear(): void {
    this.#spoken.push(...this.#framing.drain());
  }

  #isForeign(): boolean {
    return this.#spoken.filter(({ how }) => how === 'foreign').length >= 2;
  }

  async #rounds(prober: Prober, seen: readonly Seen[]): Promise<void> {
    const { clock, signal } = this.#options;
    const endAtMs = clock.monotonicMs() + (this.#options.times ?? TIMES).lookMs + LOOK_EACH_MS * seen.length;
    while (clock.monotonicMs() < endAtMs) {
      const startAtMs = clock.monotonicMs();
      for (const one of seen) {
        if (signal.aborted || this.#isForeign() || this.#isEndless) return;
        if (one.answered > 0 || one.silent < MAX_SILENT) await this.#question(prober, one);
      }
      if (seen.every((one) => one.answered === 0 && one.silent >= MAX_SILENT)) break;
      // Listens at once: only then can the lateness of an answer be measured.
      await prober.listen(startAtMs + ROUND_MS - clock.monotonicMs(), signal);
      this.#hear();
    }
    // Answers to the last requests may be on their way.
    await prober.listen(this.#options.waitMs, signal);
    this.#hear();
  }

  /** Sends one of the reads of a poll whose shape is free; none while all are in quarantine. */
  async #question(prober: Prober, one: Seen): Promise<void> {
    const { unit, profile } = one.meter;
    const { clock, waitMs } = this.#options;
    const now = clock.monotonicMs();
    const map = { ...profile, limits: { ...profile.limits, maxRegisters: longest(one) } };
    const ways = one.plan.map((request) => [request, ...variantsOf(request, map, COST)]);
    const free = ways.map((list) => list.find(({ function: fn, count }) => prober.freeAt(unit, fn, count) <= now));
    const turn = free.map((_, i) => (one.next + i) % free.length).find((i) => free[i] !== undefined);
    const request = turn === undefined ? undefined : free[turn];
    if (turn === undefined || !request) return;
    one.next = turn + 1;
    const { function: fn, address, count } = request;
    one.asked++;
    const heard = await prober.ask({ unit, fn, address, count }, one.silent > 0 ? waitMs : Math.min(USUAL_MS, waitMs));
    this.#hear();
    switch (heard.what) {
      case 'answer':
        one.answered++;
        one.lengths.answered(count);
        one.slowestMs = Math.max(one.slowestMs, heard.waitedMs);
        this.#record(one, turn, { function: fn, address, data: heard.data });
        break;
      case 'exception':
        if (REFUSES_READ.includes(heard.code) && count > leastLength(wantedOf(profile))) shorten(one, count);
        else one.exceptions.push(heard.code);
        break;
      case 'damaged':
        one.damaged++;
        this.#isEndless = heard.isEndless;
        break;
      case 'silence':
        one.silent++;
        break;
      case 'foreign':
        // The line's counters record the other master.
        break;
    }
  }

  #record(one: Seen, turn: number, block: Block): void {
    const { profile } = one.meter;
    const atMs = this.#options.clock.monotonicMs();
    one.blocks.set(turn, block);
    const key = `${block.function} ${block.address} ${block.data.length}`;
    one.replies.set(key, [...(one.replies.get(key) ?? []), { atMs, text: toHex(block.data) }]);
    const { importWh, exportWh, resolutionWh: stepWh } = decodeSample(profile, [block]);
    const { powerW } = decodeSample(profile, [...one.blocks.values()]);
    one.readings.push({ atMs, importWh, exportWh, powerW, stepWh });
  }

  /** Returns the units that answer and are not configured. */
  async #strangers(prober: Prober): Promise<number[]> {
    const { meters, signal } = this.#options;
    const units: number[] = [];
    for (const unit of STRANGERS) {
      if (signal.aborted || meters.some((meter) => meter.unit === unit)) continue;
      if (await this.#answers(prober, unit)) units.push(unit);
    }
    return units;
  }

  async #elsewhere(lost: readonly Seen[]): Promise<void> {
    const { setting, settings, signal } = this.#options;
    for (const other of settings) {
      if (sameSetting(other, setting)) continue;
      const open = lost.filter(({ elsewhere }) => elsewhere === null);
      if (open.length === 0 || signal.aborted) return;
      const prober = await this.#open(other);
      for (const one of open) if (await this.#answers(prober, one.meter.unit)) one.elsewhere = other;
    }
  }

  async #answers(prober: Prober, unit: number): Promise<boolean> {
    const now = this.#options.clock.monotonicMs();
    const at = (count: number) => Math.max(now, prober.freeAt(unit, 4, count));
    const count = LENGTHS.reduce((a, b) => (at(b) < at(a) ? b : a));
    const heard = await prober.ask({ unit, fn: 4, address: 0, count }, ELSEWHERE_MS);
    this.#hear();
    return heard.what === 'answer' || heard.what === 'exception';
  }

  #unit(seen: Seen): UnitObservation {
    const { meter, asked, answered, damaged, silent, slowestMs, exceptions, readings, elsewhere, blocks, lengths } =
      seen;
    const { profile, unit, name } = meter;
    return {
      unit,
      meter: name,
      model: `${profile.manufacturer} ${profile.models.join(', ')}`,
      asked,
      answered,
      damaged,
      silent,
      exceptions,
      slowestMs,
      latestMs: this.#quarantine.longestLatenessMs(unit),
      against: blocks.size === seen.plan.length ? judgeProbe(profile, [...blocks.values()]).against : null,
      readings,
      lengths: lengths.open,
      sameForMs: sameFor(seen),
      elsewhere,
    };
  }
}
