import type { RegisterPair } from '@gridtokenx/protocol';
import { errorText, type Logger } from '@gridtokenx/runtime/core';
import { type Counters, type MeterReader, type MeterSample, ReadError, ReadFailure } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import { DirectionWatch } from './direction.js';
import { FormerRegisters } from './former-registers.js';
import type { RegisterJudge, Verdict } from './register-judge.js';
import { longestMs, minus, plus, REGISTER_KEYS, type RegisterLimits, unrolled } from './registers.js';

/** Reads of one poll while the registers do not go on: a single damaged answer is no doubt. */
const MAX_READS = 3;

export interface RegisterReadsOptions {
  readonly name: string;
  readonly reader: MeterReader;
  readonly judge: RegisterJudge;
  readonly limits: RegisterLimits;
  /** Reads the probe's registers that no poll reads; absent: the poll reads all of them. Rejects with `ReadError`. */
  readonly readProbe?: (() => Promise<readonly string[]>) | undefined;
  /** Checks whose meter answers; called between a read and its judgement. Never rejects. */
  readonly identify: () => Promise<void>;
  readonly journal: Pick<MeterJournal, 'state' | 'registers'>;
  readonly logger: Logger;
  readonly counters: Counters;
}

/** A judged read. `sample`: as the meter shows it; null where its energy registers hold no value. */
export interface JudgedRead {
  readonly sample: MeterSample | null;
  readonly verdict: Verdict;
}

/** Reads a meter and judges its registers, after roll-overs and accepted offsets [gateway §7.2]. */
export class RegisterReads {
  readonly #options: RegisterReadsOptions;
  readonly #direction: DirectionWatch;
  /** Failed checks of registers that no poll reads; null before they were read. */
  #identity: readonly string[] | null;
  readonly #former: FormerRegisters;

  constructor(options: RegisterReadsOptions) {
    this.#options = options;
    this.#direction = new DirectionWatch(options.limits.stepWh);
    this.#identity = options.readProbe ? null : [];
    const { limits, judge, journal, logger, name } = options;
    this.#former = new FormerRegisters({
      ...{ limits, last: () => judge.last, state: () => journal.state },
      // A disk that refuses it is asked again: the registers stay in doubt meanwhile.
      takeBack: (...of) =>
        journal.registers.takeBack(...of).catch((error: unknown) => {
          logger.debug({ event: 'take_back_failed', meter: name, err: errorText(error) }, 'Failed to store an offset');
        }),
    });
  }

  /** Reads once, and again at once while the registers do not go on. Rejects with `ReadError`. */
  async next(): Promise<JudgedRead> {
    const { judge } = this.#options;
    const wasFine = judge.doubt === null && !judge.isBroken;
    for (let read = 1; ; read++) {
      const found = await this.#once();
      const mayBeDamage = wasFine && found.verdict.kind === 'doubtful' && read < MAX_READS;
      if (!mayBeDamage) return found;
    }
  }

  async #once(): Promise<JudgedRead> {
    const { reader, judge } = this.#options;
    let sample: MeterSample;
    try {
      const against = await this.#identityFaults();
      const read = await reader.read();
      sample = { ...read, against: [...against, ...read.against] };
    } catch (error) {
      if (!(error instanceof ReadError) || error.failure !== ReadFailure.noValue) throw error;
      return { sample: null, verdict: judge.noValue(error.message) };
    }
    await this.#options.identify();
    const counted = this.#counted(sample);
    const { steadyMs, powerW } = sample;
    this.#direction.add({ importWh: sample.importWh, exportWh: sample.exportWh, steadyMs, powerW });
    const verdict = judge.judge({ ...sample, ...counted, contradiction: this.#direction.words });
    const isStuck = verdict.kind === 'broken' || (verdict.kind === 'doubtful' && judge.doubt?.reason !== 'probe');
    if (isStuck && !judge.isForeign) await this.#former.follow(sample);
    else this.#former.reset();
    return { sample, verdict };
  }

  /** Reads the probe's own registers once a run; a meter that refuses them fails no check. */
  async #identityFaults(): Promise<readonly string[]> {
    const { readProbe } = this.#options;
    if (this.#identity === null && readProbe) {
      try {
        this.#identity = await readProbe();
      } catch (error) {
        if (!(error instanceof ReadError) || error.failure !== ReadFailure.exception) throw error;
        this.#identity = [];
      }
    }
    return this.#identity ?? [];
  }

  /** Returns the registers as they are signed: the meter's own, with turns of the counter and accepted offsets. */
  #counted(sample: MeterSample): RegisterPair {
    const { judge, limits, journal } = this.#options;
    const { offsets } = journal.state;
    const last = judge.last && minus(judge.last, offsets);
    const ms = judge.last && longestMs(judge.last, sample);
    const turned = unrolled(last, sample, ms, limits);
    if (last && turned !== sample) this.#reportRollover(last, sample, turned);
    return plus(turned, offsets);
  }

  /** Reports each roll-over of a register once: from then on the signed value is above the meter's display. */
  #reportRollover(last: RegisterPair, shown: MeterSample, counted: MeterSample): void {
    const { name, logger } = this.#options;
    for (const key of REGISTER_KEYS) {
      const rollover = counted.rolloverWh?.[key];
      const turns = (wh: bigint) => (rollover ? wh / rollover : 0n);
      if (turns(counted[key]) === turns(last[key])) continue;
      const fields = { meter: name, register: key, shows: `${shown[key]}`, counted: `${counted[key]}` };
      logger.info({ event: 'register_rolled_over', ...fields }, 'A register rolled over: the count continues');
    }
  }
}
