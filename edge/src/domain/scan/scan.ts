import { sleep } from '@gridtokenx/runtime/core';
import type { LineCost } from '../../planner/plan.js';
import type { MeterProfile } from '../../profiles/profile.js';
import type { Block } from '../../profiles/sample.js';
import { CLOSES_AT_ONCE } from '../bus/connection.js';
import { serialSpeed } from '../bus/line.js';
import { NoAnswer } from '../bus/port.js';
import { LineGone } from '../bus/ports.js';
import { BusStats } from '../bus/stats.js';

import { identify } from './identify.js';
import {
  damagedText,
  ECHO_TEXT,
  EVERY_UNIT_TEXT,
  foreignText,
  NEVER_SILENT_TEXT,
  NOISE_TEXT,
  ScanStopped,
} from './messages.js';
import { HOLDING, INPUT, LAST_UNIT, type ProbeRequest, type Stage } from './plan.js';
import type { Heard } from './prober.js';
import { ScanLine } from './scan-line.js';
import { type Setting, sameSetting, sameSpeed, settingText, speedOf } from './settings.js';
import { newState, type ScanOptions, type ScanState } from './state.js';
import { Disturbed, UnitProber } from './unit-prober.js';

/** An answer to somebody who asked just before this scan may still come so long: 12 time-outs, as on the bus. */
const LISTEN_MS = 3_000;
const OTHER_LISTEN_MS = 1_200;
/** Time to listen after a stage for late answers at its setting, ms. */
const LINGER_MS = 200;
/** Waits for a unit that made itself heard, ms: as long as the slowest meters take. */
const PATIENT_MS = [250, 500] as const;
const MAX_ENDLESS = 3;
const REOPENS = 5;
const REOPEN_MS = 500;
/** Wait for a device on a network, ms. */
const NETWORK_MS = 500;
/**
 * Whoever takes a raw frame of ours for Modbus TCP reads our count as a length: with 2 registers it sees a function
 * code without data, which can do nothing. Longer ones could be read as a write.
 */
const RAW_MOST = 2;
/** A gateway says with these that nobody answers behind it (Modbus application protocol 1.1b3, section 7). */
const NOBODY_BEHIND = [10, 11];

/**
 * Searches a line by the stages of a plan with reads only, and identifies whatever answers. It goes through the bus's
 * own port: a late answer is known as late, at whatever setting it comes; it only says that its unit is worth another
 * look.
 */
export class Scan {
  readonly state: ScanState;
  readonly #options: ScanOptions;
  readonly #stats: BusStats;
  readonly #line: ScanLine;
  readonly #startAtMs: number;
  #endless = 0;
  #answersToAll = false;

  constructor(options: ScanOptions, state: ScanState = newState()) {
    this.#options = options;
    this.state = state;
    this.#stats = options.stats ?? new BusStats();
    this.#line = new ScanLine({ ...options, stats: this.#stats });
    this.#startAtMs = options.clock.monotonicMs() - state.elapsedMs;
  }

  /** Runs to the end of the plan, the expected number of units, or an abort. Throws `ScanStopped`. */
  async run(): Promise<ScanState> {
    const { stages, signal } = this.#options;
    try {
      await this.#listenFirst();
      while (this.state.stage < stages.length && !this.#isOver()) {
        const stage = stages[this.state.stage] as Stage;
        if (!stage.isLastResort || this.state.found.length === 0) await this.#sweep(stage);
        if (signal.aborted) break;
        this.state.stage++;
        this.state.unit = 0;
        this.#keep();
      }
      if (this.#stats.counts.echoes > 0) this.#note(ECHO_TEXT);
      return this.state;
    } finally {
      this.#keep();
      await this.#line.close();
    }
  }

  #isOver(): boolean {
    const { expect, signal } = this.#options;
    return signal.aborted || this.#answersToAll || (expect !== undefined && this.state.found.length >= expect);
  }

  #keep(): void {
    this.state.elapsedMs = Math.round(this.#options.clock.monotonicMs() - this.#startAtMs);
    this.#options.onState(this.state);
  }

  #note(text: string): void {
    if (this.state.notes.includes(text)) return;
    this.state.notes.push(text);
    this.#options.onNote(text);
  }

  /** A second master, or noise, is better found before anything is asked. */
  async #listenFirst(): Promise<void> {
    const { stages, signal } = this.#options;
    const first = stages[this.state.stage]?.setting;
    // On Modbus TCP everyone has a connection of one's own: nothing of others is heard there.
    if (!first || first.transport === 'tcp') return;
    if (!(await this.#hears(first, LISTEN_MS)) || first.transport !== 'serial') return;
    // Bytes that are no frame: frames at another speed, or noise.
    const bauds = new Map<number, Setting>();
    for (const { setting } of stages) {
      if (setting.transport === 'serial' && !bauds.has(setting.baud)) bauds.set(setting.baud, setting);
    }
    for (const setting of bauds.values()) {
      if (signal.aborted) return;
      if (!sameSpeed(setting, first)) await this.#hears(setting, OTHER_LISTEN_MS);
    }
    this.#note(NOISE_TEXT);
  }

  /** Returns true when bytes without a frame are heard. Throws `ScanStopped` when a second master is heard. */
  async #hears(setting: Setting, ms: number): Promise<boolean> {
    const prober = await this.#line.prober(setting);
    const before = this.#stats.counts.damaged;
    await prober.listen(ms, this.#options.signal);
    this.#checkForeign(setting, 1);
    return this.#stats.counts.damaged > before;
  }

  #checkForeign(setting: Setting, enough: number): void {
    const spoken = this.#line.framing(setting).drain();
    if (spoken.filter(({ how }) => how === 'foreign').length >= enough)
      throw new ScanStopped(foreignText(spoken, setting));
  }

  async #sweep({ setting, units, question, waitMs }: Stage): Promise<void> {
    const again = new Set<number>();
    const asked: number[] = [];
    for (; this.state.unit < units.length && !this.#isOver(); this.state.unit++) {
      const unit = units[this.state.unit] as number;
      if (this.#isKnown(setting, unit)) continue;
      const heard = await this.#ask(setting, unit, question, waitMs);
      asked.push(unit);
      await this.#record(setting, unit, question, heard);
      this.#hints(setting, heard, asked, waitMs, again);
      this.#options.onProgress(setting, unit, this.state);
    }
    if (this.#isOver() && !this.#answersToAll) return;
    await this.#linger(setting, again);
    for (const unit of again) {
      if (!this.#isOver() && !this.#isKnown(setting, unit)) await this.#probeAgain(setting, unit);
    }
  }

  #isKnown(setting: Setting, unit: number): boolean {
    return this.state.found.some((found) => found.unit === unit && sameSpeed(found.setting, setting));
  }

  /** Adds the units to ask again, after a question that others disturbed. */
  #hints(setting: Setting, heard: Heard, asked: readonly number[], waitMs: number, again: Set<number>): void {
    this.#addHeard(setting, again);
    if (heard.what !== 'damaged' && heard.what !== 'foreign') return;
    // Half an answer that began while the next question was sent: of any unit that was asked just before.
    const back = 1 + Math.ceil(PATIENT_MS[1] / waitMs);
    for (const unit of asked.slice(-back)) again.add(unit);
  }

  async #linger(setting: Setting, again: Set<number>): Promise<void> {
    const prober = this.#line.current(setting);
    if (!prober) return;
    await prober.listen(LINGER_MS, this.#options.signal);
    this.#addHeard(setting, again);
  }

  /** Adds the units that spoke without being asked. */
  #addHeard(setting: Setting, again: Set<number>): void {
    for (const { unit } of this.#line.framing(setting).drain()) if (unit >= 1 && unit <= LAST_UNIT) again.add(unit);
  }

  async #probeAgain(setting: Setting, unit: number): Promise<void> {
    let damaged = 0;
    for (const [i, waitMs] of PATIENT_MS.entries()) {
      const question = i % 2 === 0 ? INPUT : HOLDING;
      const heard = await this.#ask(setting, unit, question, waitMs);
      await this.#record(setting, unit, question, heard);
      if (this.#isKnown(setting, unit)) return;
      if (heard.what === 'damaged') damaged++;
    }
    if (damaged >= 2) this.#note(damagedText(unit, setting));
  }

  /** Asks with whichever length is free, on a line that is opened again when it was lost. */
  async #ask(setting: Setting, unit: number, { fn, address, counts }: ProbeRequest, waitMs: number): Promise<Asked> {
    const { clock } = this.#options;
    for (let reopens = 0; ; reopens++) {
      try {
        const prober = await this.#line.prober(setting);
        const lengths = setting.transport === 'rtu-over-tcp' ? counts.filter((count) => count <= RAW_MOST) : counts;
        const places = lengths.map((count) => ({ count, atMs: prober.freeAt(unit, fn, count) }));
        const now = clock.monotonicMs();
        const best = places.reduce((a, b) => (Math.max(now, b.atMs) < Math.max(now, a.atMs) ? b : a));
        return { ...(await prober.ask({ unit, fn, address, count: best.count }, waitMs)), count: best.count };
      } catch (error) {
        if (!(error instanceof LineGone)) throw error;
        await this.#line.close();
        if (reopens >= REOPENS) throw new ScanStopped(this.#lostText(setting, error));
        await sleep(clock, REOPEN_MS);
      }
    }
  }

  /** Says why the line is lost again and again. */
  #lostText(setting: Setting, { message, cause }: LineGone): string {
    const isClosed = setting.transport !== 'serial' && cause instanceof NoAnswer && cause.reason === 'gone';
    const isUnheard = this.#stats.counts.answers + this.#stats.counts.exceptions === 0;
    return isClosed && isUnheard ? CLOSES_AT_ONCE : `the line was lost again and again: ${message}`;
  }

  async #record(setting: Setting, unit: number, { fn, address }: ProbeRequest, heard: Asked): Promise<void> {
    this.#endless = heard.what === 'damaged' && heard.isEndless ? this.#endless + 1 : 0;
    if (this.#endless >= MAX_ENDLESS) throw new ScanStopped(NEVER_SILENT_TEXT);
    if (heard.what === 'foreign') await this.#disturbed(setting);
    if (heard.what !== 'answer' && heard.what !== 'exception') return;
    if (heard.what === 'exception' && setting.transport !== 'serial' && NOBODY_BEHIND.includes(heard.code)) return;
    const known = heard.what === 'answer' ? [{ function: fn, address, data: heard.data }] : [];
    await this.#meet(setting, unit, heard.waitedMs, known);
  }

  async #meet(setting: Setting, unit: number, waitedMs: number, known: readonly Block[]): Promise<void> {
    const { clock, profiles, models } = this.#options;
    try {
      const talk = new UnitProber(await this.#line.prober(setting), clock, unit, waitedMs, behindMs(setting));
      const identity = await identify(talk, byLikelihood(profiles, setting), models, costOf(setting), known);
      const found = { setting, unit, afterMs: Math.round(clock.monotonicMs() - this.#startAtMs), ...identity };
      if (talk.damaged >= 2) this.#note(damagedText(unit, setting));
      this.state.found.push(found);
      this.#options.onFound(found);
      this.#keep();
    } catch (error) {
      if (error instanceof Disturbed) await this.#disturbed(setting);
      else if (error instanceof LineGone) this.#note(`${settingText(setting)}, unit ${unit}: ${error.message}`);
      else throw error;
    }
    const isFirst = this.state.found.length === 1 && setting.transport !== 'serial';
    if (isFirst) await this.#checkAll(setting);
  }

  /** A device without units answers whatever unit is asked: it must not be found 247 times. */
  async #checkAll(setting: Setting): Promise<void> {
    const heard: Asked[] = [];
    for (const unit of [LAST_UNIT, LAST_UNIT - 1]) heard.push(await this.#ask(setting, unit, INPUT, NETWORK_MS));
    const isHere = ({ what, ...rest }: Asked) =>
      what === 'answer' || (what === 'exception' && !NOBODY_BEHIND.includes((rest as { code: number }).code));
    this.#answersToAll = heard.every(isHere);
    if (this.#answersToAll) this.#note(EVERY_UNIT_TEXT);
  }

  /** One strange frame may be a meter that answers under another number; two are a second master. */
  async #disturbed(setting: Setting): Promise<void> {
    const prober = await this.#line.prober(setting);
    await prober.listen(LISTEN_MS, this.#options.signal);
    this.#checkForeign(setting, 2);
  }
}

type Asked = Heard & { readonly count: number };

/** Those whose new meters are set like this come first. Only an order: a setting says nothing about a model. */
function byLikelihood(profiles: readonly MeterProfile[], setting: Setting): MeterProfile[] {
  const isDefault = ({ serial }: MeterProfile) => sameSetting({ transport: 'serial', ...serial }, setting);
  return [...profiles].sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)));
}

/**
 * A converter hands over whole answers, of a line whose speed nobody knows here: one of 2,400 baud is reckoned with.
 */
function behindMs(setting: Setting): number {
  return setting.transport === 'serial' ? 0 : serialSpeed(2_400, 'none', 1).charMs;
}

/** Before anything was measured, a meter is taken to answer after this; microseconds. */
const TURNAROUND_US = 50_000;

function costOf(setting: Setting): LineCost {
  const charTimeUs = Math.max(1, Math.round(1_000 * speedOf(setting).charMs));
  return {
    charTimeUs,
    turnaroundUs: TURNAROUND_US,
    pauseUs: 0,
    transport: setting.transport === 'tcp' ? 'tcp' : 'rtu',
  };
}
