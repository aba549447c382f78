import type { MeterId } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import { errorText, type Logger, sleep } from '@gridtokenx/runtime/core';
import { AcceptRequests } from '../adapters/accept/requests.js';
import type { Disk } from '../domain/ports.js';

/** Interval of checks for requests, real ms. */
const LOOK_MS = 2_000;

/** A meter whose registers a person may accept. */
export interface AcceptingMeter {
  readonly id: MeterId;
  accept(reason: string): Promise<string | null>;
}

/** Answers the requests of `accept-register` until aborted [gateway §7.4]. A failing disk delays an answer. */
export async function answerAccepts(
  meters: readonly AcceptingMeter[],
  { disk, dir, clock, log }: { disk: Disk; dir: string; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const requests = new AcceptRequests(disk, dir);
  while (!signal.aborted) {
    await sleep(clock, LOOK_MS, signal);
    if (signal.aborted) return;
    try {
      for (const { meterId, reason } of await requests.waiting()) {
        const meter = meters.find(({ id }) => id === meterId);
        const problem = meter ? await meter.accept(reason) : 'the running gateway has no such meter';
        await requests.settle(meterId, { problem });
      }
    } catch (error) {
      log.warn({ event: 'accept_failed', err: errorText(error) }, 'Failed to answer a request of accept-register');
    }
  }
}
