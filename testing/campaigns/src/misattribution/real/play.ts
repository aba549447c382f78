import type { AnswerFaults, FaultRates, LineSettings } from '@gridtokenx/simulators';
import { Random } from '@gridtokenx/testing-kit/random';
import { addFigures, type Outcome } from '../../campaign.js';
import { ALL_FAULTS } from '../faults.js';
import { REQUEST_MS, readAsGateway } from './gateway.js';
import { openLine, type RealLine } from './lines.js';
import { disturbedMeter, TellTaleRegisters } from './meters.js';

export interface RealOptions {
  /** Buses that run side by side. */
  readonly lines: readonly RealLine[];
  /** Number of reads of each bus, good and failed. */
  readonly reads: number;
  readonly rates: FaultRates;
  /** Uses half of the longest lateness instead of the rule: the campaign's control. */
  readonly isShort: boolean;
}

/** The same rates as on the injected line. */
export const REAL_RATES: FaultRates = {
  late: ALL_FAULTS.late,
  drop: ALL_FAULTS.drop,
  copy: ALL_FAULTS.copy,
  truncate: ALL_FAULTS.truncate,
  glue: ALL_FAULTS.glue,
  corrupt: ALL_FAULTS.corrupt,
  exception: ALL_FAULTS.exception,
};

/** Late answers begin within so many time-outs of their request, copies of good answers within one of the answer. */
export const LATE_TIMEOUTS = 10;
export const COPY_TIMEOUTS = 1;
const BAUDS = [57_600, 115_200] as const;
const MAX_METERS = 3;

/** Reads meters on lines of the operating system through the gateway's own adapters; any wrong value is a fault. */
export async function playReal(seed: number, options: RealOptions): Promise<Outcome> {
  const outcomes = await Promise.all(
    options.lines.map((kind, i) => playLine(kind, new Random(seed, `misattribution/${kind}/${i}`), options)),
  );
  const figures: Record<string, number> = {};
  for (const outcome of outcomes) addFigures(figures, outcome.figures);
  return { faults: outcomes.flatMap(({ faults }) => faults), figures };
}

async function playLine(kind: RealLine, random: Random, { reads, rates, isShort }: RealOptions): Promise<Outcome> {
  const settings: LineSettings | null =
    kind === 'pty' ? { baud: random.pick(BAUDS), parity: 'none', stopBits: 1 } : null;
  const registers = new TellTaleRegisters();
  let waitMs = REQUEST_MS;
  const disturbance = {
    random,
    rates,
    waitMs: () => waitMs,
    lateTimeouts: LATE_TIMEOUTS,
    copyTimeouts: COPY_TIMEOUTS,
  };
  const units = Array.from({ length: random.int(1, MAX_METERS) }, (_, i) => i + 1);
  const meters = units.map((unit) => disturbedMeter(unit, registers.unit(unit), settings, disturbance));
  const line = await openLine(kind, meters);
  try {
    const outcome = await readAsGateway({
      row: kind,
      address: line.address,
      random,
      units,
      reads,
      isRight: (_unit, _first, data) => registers.isTruth(data),
      onWait: (ms) => {
        waitMs = ms;
      },
      quarantineInsteadMs: isShort ? () => (waitMs * LATE_TIMEOUTS) / 2 : null,
    });
    const figures = { ...outcome.figures };
    for (const { faults } of meters) addFigures(figures, faultFigures(faults));
    figures['real: reads'] = figures[`${kind}: reads`] ?? 0;
    return { faults: outcome.faults, figures };
  } finally {
    await line.close();
  }
}

/** Returns faults that a meter's line made, in addition to those of the injected line. */
function faultFigures(faults: AnswerFaults): Record<string, number> {
  return Object.fromEntries(Object.entries(faults.counts).map(([name, value]) => [`real: ${name}`, value]));
}
