import type { RegisterPair } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Counters } from '../ports.js';
import { DiscontinuityReason } from '../signing/discontinuity.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import { type DoubtReason, pairText, type RegisterJudge } from './register-judge.js';

/** Least time between the begins of two doubts that are signed, real ms. */
const TELL_MS = 60_000;

const DETAILS: Readonly<Record<DoubtReason, DiscontinuityReason>> = {
  fell: DiscontinuityReason.doubtFell,
  rose: DiscontinuityReason.doubtRose,
  'no value': DiscontinuityReason.doubtNoValue,
  probe: DiscontinuityReason.doubtProbe,
};

/** Returns the reason of a doubt that the state file holds; null for none. */
export function doubtOf(detail: DiscontinuityReason | null): DoubtReason | null {
  const reasons = Object.keys(DETAILS) as DoubtReason[];
  return reasons.find((reason) => DETAILS[reason] === detail) ?? null;
}

export interface DoubtLogOptions {
  readonly name: string;
  readonly journal: MeterJournal;
  readonly judge: RegisterJudge;
  /** Keeps the meter's last frames. Never rejects. */
  readonly keepFrames: (() => Promise<void>) | undefined;
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: Counters;
}

/**
 * Signs the begin and the end of each doubt, at most one pair a minute; further doubts are counted [gateway §7.4].
 * A failed write is repeated at the next poll.
 */
export class DoubtLog {
  readonly #options: DoubtLogOptions;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #isBusy = false;
  #wasDoubtful = false;

  constructor(options: DoubtLogOptions) {
    this.#options = options;
  }

  /** Records how the registers stand after a poll. `raw`: the meter's own registers; null where it shows none. */
  follow(raw: RegisterPair | null): void {
    const { journal, judge } = this.#options;
    const isNew = judge.doubt !== null && !this.#wasDoubtful;
    this.#wasDoubtful = judge.doubt !== null;
    if (isNew) this.#began();
    if (this.#isBusy) return;
    const { last, doubt } = judge;
    const { inDoubt, inDiscontinuity } = journal.registers;
    const lastGood = last ?? NONE;
    if (judge.isBroken && !inDiscontinuity) this.#broke(lastGood, raw ?? NONE);
    else if (doubt && !inDoubt && !inDiscontinuity) this.#tell(doubt.reason, lastGood, raw ?? NONE);
    else if (!doubt && !judge.isBroken && (inDoubt || inDiscontinuity)) this.#over(lastGood, raw ?? NONE);
  }

  #began(): void {
    const { name, judge, counters, journal, logger } = this.#options;
    journal.registers.mark();
    counters.add('doubts', { meter: journal.id });
    const fields = { meter: name, reason: judge.doubt?.reason, why: judge.doubt?.words };
    logger.warn({ event: 'registers_doubted', ...fields }, 'The registers are doubtful: the gateway signs nothing');
  }

  #tell(reason: DoubtReason, lastGood: RegisterPair, raw: RegisterPair): void {
    const { clock, journal, keepFrames } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#toldAtMs < TELL_MS) return;
    this.#toldAtMs = now;
    void keepFrames?.();
    this.#store(journal.registers.doubt(DETAILS[reason], lastGood, raw));
  }

  #broke(lastGood: RegisterPair, raw: RegisterPair): void {
    const { name, judge, journal, keepFrames, logger } = this.#options;
    const reason = judge.isForeign ? DiscontinuityReason.anotherMeter : DiscontinuityReason.fell;
    const fields = { meter: name, from: pairText(lastGood), to: pairText(raw), reason };
    logger.error({ event: 'statements_stopped', ...fields }, 'Stopped signing statements');
    void keepFrames?.();
    this.#store(journal.registers.break(reason, lastGood, raw));
  }

  #over(lastGood: RegisterPair, raw: RegisterPair): void {
    const { name, journal, logger } = this.#options;
    logger.info({ event: 'registers_go_on', meter: name }, 'The registers go on from the last good ones');
    this.#store(journal.registers.over(lastGood, raw));
  }

  #store(stored: Promise<void>): void {
    this.#isBusy = true;
    stored.catch(this.#options.failed).finally(() => {
      this.#isBusy = false;
    });
  }
}

const NONE: RegisterPair = { importWh: 0n, exportWh: 0n };

/** Says to a person how the registers of a meter stand; null while they go on. */
export function registersProblem({ doubt, isBroken, isForeign }: RegisterJudge): string | null {
  if (isForeign) return 'another meter answers: put the right meter back, or ask your utility to register the exchange';
  if (isBroken)
    return 'its registers fell and stayed low: if nobody exchanged the meter, run "accept-register"; else ask your utility';
  const advice = doubt?.reason === 'rose' ? '; are its limits right? If the registers stay, run "accept-register"' : '';
  return (
    doubt && `${doubt.words}: the gateway signs nothing until its registers go on from the last good ones${advice}`
  );
}
