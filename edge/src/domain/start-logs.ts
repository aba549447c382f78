import { BackOff, type Clock, type Random, sleep } from '@gridtokenx/runtime/core';
import type { Background } from './background.js';
import type { AckTracker } from './delivery/ack-tracker.js';
import type { Metered } from './gateway.js';

/** Meters whose first messages are signed at a time: more would wait for the same disk. */
const LANES = 16;
/** Back-off while a disk accepts no writes at the start, ms. */
const AGAIN = { initialMs: 100, maxMs: 10_000 };

export interface StartLogsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly acks: Pick<AckTracker, 'acknowledged'>;
  readonly background: Background;
  /** See `GatewayOptions`. */
  readonly softwareHash: Uint8Array;
  readonly configHash: Uint8Array;
  readonly tornRecords: number;
}

/** Signs event 1 and the gaps of each meter, of several at a time: each waits for the disk. */
export async function startLogs(
  meters: readonly Metered[],
  options: StartLogsOptions,
  signal: AbortSignal,
): Promise<void> {
  const left = [...meters];
  const lane = async () => {
    for (let meter = left.shift(); meter && !signal.aborted; meter = left.shift())
      await startLog(meter, options, signal);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Signs event 1 and the gaps of a meter; retries while the disk accepts no writes. */
async function startLog(meter: Metered, options: StartLogsOptions, signal: AbortSignal): Promise<void> {
  const { id, name, journal, recovered } = meter;
  const { clock, random, acks, background, softwareHash, configHash, tornRecords } = options;
  const backOff = new BackOff(AGAIN, random);
  const what = `meter ${name} cannot start`;
  while (!signal.aborted) {
    try {
      const storedThrough = acks.acknowledged(id);
      await journal.start(recovered, { softwareHash, configHash, storedThrough, tornRecords });
      background.succeeded(what);
      return;
    } catch (error) {
      background.failed(what, error);
      await sleep(clock, backOff.next(), signal);
    }
  }
}
