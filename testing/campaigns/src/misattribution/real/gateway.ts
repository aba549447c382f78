import { systemClock } from '@gridtokenx/runtime/node';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { Random } from '@gridtokenx/testing-kit/random';

import { type BusAddress, busAt } from '#edge/adapters/modbus/open.js';
import type { Bus, ReadVariant } from '#edge/domain/bus/bus.js';
import { ReadError, ReadFailure } from '#edge/domain/ports.js';
import type { Outcome } from '../../campaign.js';
import { WatchedQuarantine } from '../watched-quarantine.js';

/** Initial and minimum time-out, ms: short, so that a hundred thousand reads take minutes. */
export const REQUEST_MS = 40;
const PERIOD_MS = 10 * REQUEST_MS;
const CONNECT_MS = 2_000;
const PAUSE_MS = 10;
/** Two kinds of values with the same lengths, so that one could be mistaken for the other. */
const COUNTS = [4, 6, 8, 10, 12, 14] as const;
const ENERGY: readonly ReadVariant[] = COUNTS.map((count) => ({ address: 72, count }));
const VALUES: readonly ReadVariant[] = COUNTS.map((count) => ({ address: 0, count }));

export interface GatewayReads {
  /** Name of the line in figures and faults. */
  readonly row: string;
  readonly address: BusAddress;
  readonly random: Random;
  readonly units: readonly number[];
  /** Number of reads until the end, good and failed. */
  readonly reads: number;
  /** Returns true when these are the data of the registers from `first` on. */
  readonly isRight: (unit: number, first: number, data: Uint8Array) => boolean;
  /** Called for each request with the whole wait in force for it, ms. */
  readonly onWait: (waitMs: number) => void;
  /** Replaces the quarantine's rule: for controls; null otherwise. */
  readonly quarantineInsteadMs: (() => number) | null;
}

/** Reads a line through the gateway's own adapters, as fast as they allow; any wrong value is a fault. */
export async function readAsGateway(options: GatewayReads): Promise<Outcome> {
  const { row, random, units, reads, isRight } = options;
  const figures: Record<string, number> = { [`${row}: wrong`]: 0 };
  const faults: string[] = [];
  const bus = gatewayBus(options);
  let isForeign = false;
  /** Returns true when a request was sent. */
  const read = async (unit: number, variants: readonly ReadVariant[]): Promise<boolean> => {
    const first = variants[0]?.address ?? 0;
    const what = await readOnce(bus, unit, variants, (data) => isRight(unit, first, data));
    isForeign ||= what === 'foreign';
    if (what === 'resting' || what === 'foreign') return false;
    for (const name of ['reads', what]) figures[`${row}: ${name}`] = (figures[`${row}: ${name}`] ?? 0) + 1;
    if (what === 'wrong') faults.push(`${row}: registers from ${first} of unit ${unit} are not theirs`);
    return true;
  };
  try {
    // The first read opens the bus, and only begins the rest after a start.
    await readOnce(bus, units[0] ?? 1, ENERGY, () => true);
    await sleep(Math.max(0, (bus.restUntilMs ?? 0) - performance.now()));
    for (let done = 0; done < reads && !isForeign; ) {
      const before = done;
      for (const unit of units) if (await read(unit, random.chance(0.5) ? ENERGY : VALUES)) done++;
      await sleep(done === before ? PAUSE_MS : random.int(0, 3));
    }
  } finally {
    await bus.close();
  }
  for (const [name, value] of Object.entries(bus.stats.counts)) figures[`real bus: ${name}`] = value;
  return { faults, figures };
}

/** Returns the gateway's own bus for an address, as its configuration makes it. */
function gatewayBus({ address, random, onWait, quarantineInsteadMs }: GatewayReads): Bus {
  return busAt({
    log: quietLog,
    name: address.transport,
    address,
    clock: systemClock,
    random: { bytes: (n) => random.bytes(n), fraction: () => random.fraction() },
    requestMs: REQUEST_MS,
    connectMs: CONNECT_MS,
    quarantine: new WatchedQuarantine({ onWait, insteadMs: quarantineInsteadMs }),
    timeoutMinMs: REQUEST_MS,
  });
}

/**
 * `resting`: nothing was sent. `foreign`: noise that forms a valid frame by chance counts as a second master. Then the
 * bus rests for a minute, and the test of its line ends.
 */
type Read = 'good' | 'wrong' | 'failed' | 'resting' | 'foreign';

async function readOnce(
  bus: Bus,
  unit: number,
  variants: readonly ReadVariant[],
  isRight: (data: Uint8Array) => boolean,
): Promise<Read> {
  const isSilent = bus.units.get(unit)?.silenceBeganAtMs != null;
  try {
    const { data } = await bus.read(unit, 4, variants, { periodMs: PERIOD_MS });
    return isRight(data) ? 'good' : 'wrong';
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (error.failure === ReadFailure.secondMaster) return 'foreign';
    const isSent = error.failure === ReadFailure.timeout || error.failure === ReadFailure.exception;
    return isSent && !isSilent ? 'failed' : 'resting';
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
