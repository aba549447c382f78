import type { AnswerFaults, FaultRates, LineSettings } from '@gridtokenx/simulators';
import { realTime } from '#edge/adapters/clock/real-time.js';
import { type BusAddress, busAt, type OpenBusOptions } from '#edge/adapters/modbus/open.js';
import type { Bus, BusOptions, Choice } from '#edge/domain/bus/bus.js';
import { ReadError, ReadFailure } from '#edge/ports.js';
import { addFigures, type Outcome } from '../../campaign.js';
import { Random } from '../../random.js';
import { ALL_FAULTS } from '../faults.js';
import { openLine, type RealLine } from './lines.js';
import { disturbedMeter, TellTaleRegisters } from './meters.js';

export interface RealOptions {
  /** Buses that run side by side. */
  readonly lines: readonly RealLine[];
  /** Reads of each, good and failed ones. */
  readonly reads: number;
  readonly rates: FaultRates;
  /** Half of the longest lateness instead of the rule: the campaign's control. */
  readonly isShort: boolean;
}

/** As on the injected line. */
export const REAL_RATES: FaultRates = {
  late: ALL_FAULTS.late,
  drop: ALL_FAULTS.drop,
  copy: ALL_FAULTS.copy,
  truncate: ALL_FAULTS.truncate,
  glue: ALL_FAULTS.glue,
  corrupt: ALL_FAULTS.corrupt,
  exception: ALL_FAULTS.exception,
};

/** Late answers begin within so many time-outs of their request, copies of good ones within one of the answer. */
export const LATE_TIMEOUTS = 10;
const COPY_TIMEOUTS = 1;
/** Time-out before and at the least, ms: short, so that a hundred thousand reads take minutes. */
export const REQUEST_MS = 40;
const PERIOD_MS = 10 * REQUEST_MS;
const CONNECT_MS = 2_000;
const BAUDS = [57_600, 115_200] as const;
const UNITS = [1, 2, 3] as const;
const PAUSE_MS = 10;
/** Two kinds of values by the same lengths, so that one can be taken for the other. */
const COUNTS = [4, 6, 8, 10, 12, 14] as const;
const ENERGY: readonly Choice[] = COUNTS.map((count) => ({ address: 72, count }));
const VALUES: readonly Choice[] = COUNTS.map((count) => ({ address: 0, count }));

/** Reads meters on lines of the operating system through the gateway's own adapters; any wrong value is a fault. */
export async function playReal(seed: number, options: RealOptions): Promise<Outcome> {
  const outcomes = await Promise.all(
    options.lines.map((kind, i) => playLine(kind, new Random(seed, `misattribution/${kind}/${i}`), options)),
  );
  const figures: Record<string, number> = {};
  for (const outcome of outcomes) addFigures(figures, outcome.figures);
  return { faults: outcomes.flatMap(({ faults }) => faults), figures };
}

async function playLine(kind: RealLine, random: Random, options: RealOptions): Promise<Outcome> {
  const { reads, rates, isShort } = options;
  const figures: Record<string, number> = {};
  const faults: string[] = [];
  const settings: LineSettings | null =
    kind === 'pty' ? { baud: random.pick(BAUDS), parity: 'none', stopBits: 1 } : null;
  const registers = new TellTaleRegisters();
  let waitMs = REQUEST_MS;
  let isForeign = false;
  const disturbance = {
    random,
    rates,
    waitMs: () => waitMs,
    lateTimeouts: LATE_TIMEOUTS,
    copyTimeouts: COPY_TIMEOUTS,
  };
  const meters = UNITS.map((unit) => disturbedMeter(unit, registers.unit(unit), settings, disturbance));
  const line = await openLine(kind, meters);
  const bus = gatewayBus(line.address, random, isShort ? () => (waitMs * LATE_TIMEOUTS) / 2 : null);
  const charMs = settings ? 10_000 / settings.baud : 0;
  const read = async (unit: number, choices: readonly Choice[]): Promise<boolean> => {
    const estimate = bus.units.get(unit)?.estimate;
    waitMs = (estimate?.timeoutMs() ?? REQUEST_MS) + (13 + 2 * (choices[0]?.count ?? 0)) * charMs;
    const { read: what, address } = await readOnce(bus, unit, choices, registers);
    isForeign ||= what === 'foreign';
    if (what === 'resting' || what === 'foreign') return false;
    count(figures, kind, what);
    if (what === 'wrong') faults.push(`${kind}: registers from ${address} of unit ${unit} are not theirs`);
    return true;
  };
  try {
    await readOnce(bus, 1, ENERGY, registers);
    await pause(Math.max(0, (bus.restUntilMs ?? 0) - performance.now()));
    for (let done = 0; done < reads && !isForeign; ) {
      const before = done;
      for (const unit of UNITS) if (await read(unit, random.chance(0.5) ? ENERGY : VALUES)) done++;
      await pause(done === before ? PAUSE_MS : random.int(0, 3));
    }
  } finally {
    await bus.close();
    await line.close();
  }
  for (const { faults: made } of meters) countFaults(figures, made);
  for (const [name, value] of Object.entries(bus.stats.counts)) figures[`real bus: ${name}`] = value;
  return { faults, figures };
}

/** The gateway's own bus for an address, as its configuration makes it. */
export function gatewayBus(address: BusAddress, random: Random, quarantineInsteadMs: (() => number) | null): Bus {
  const options: OpenBusOptions & Pick<BusOptions, 'quarantineInsteadMs'> = {
    name: address.transport,
    address,
    real: realTime,
    random: { bytes: (n) => random.bytes(n), fraction: () => random.fraction() },
    requestMs: REQUEST_MS,
    connectMs: CONNECT_MS,
    quarantineMs: 0,
    timeoutMinMs: REQUEST_MS,
    ...(quarantineInsteadMs ? { quarantineInsteadMs } : {}),
  };
  return busAt(options);
}

/**
 * `resting`: nothing was sent. `foreign`: noise that is a frame of nobody's by chance counts as another master, and the bus
 * rests for a minute; its line ends then.
 */
type Read = 'good' | 'wrong' | 'failed' | 'resting' | 'foreign';

async function readOnce(
  bus: Bus,
  unit: number,
  choices: readonly Choice[],
  registers: TellTaleRegisters,
): Promise<{ read: Read; address: number }> {
  const address = choices[0]?.address ?? 0;
  const isSilent = bus.units.get(unit)?.silentSinceMs != null;
  try {
    const { data } = await bus.read(unit, 4, choices, { periodMs: PERIOD_MS });
    return { read: registers.isTruth(data) ? 'good' : 'wrong', address };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (error.failure === ReadFailure.foreignMaster) return { read: 'foreign', address };
    const isSent = error.failure === ReadFailure.timeout || error.failure === ReadFailure.exception;
    return { read: isSent && !isSilent ? 'failed' : 'resting', address };
  }
}

function count(figures: Record<string, number>, kind: string, what: Read): void {
  for (const name of [`${kind}: reads`, `${kind}: ${what}`, ...(what === 'wrong' ? ['real: wrong'] : ['real: reads'])])
    figures[name] = (figures[name] ?? 0) + 1;
}

/** Faults that the line made, beside those of the injected line. */
export function countFaults(figures: Record<string, number>, faults: AnswerFaults): void {
  for (const [name, value] of Object.entries(faults.counts))
    figures[`real: ${name}`] = (figures[`real: ${name}`] ?? 0) + value;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
