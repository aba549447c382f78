import type { MeterId } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import { errorText, type Logger, StateLog, sleep } from '@gridtokenx/runtime/core';
import { AcceptRequests } from '../adapters/accept/requests.js';
import type { Disk } from '../domain/ports.js';

/** Interval of checks for requests, real ms. */
const LOOK_MS = 2_000;
/** Longest wait of a request for a meter that must be read first, real ms: two polls of the longest period, and more. */
const PATIENCE_MS = 3_600_000;

/** A meter whose registers a person may accept. */
export interface AcceptingMeter {
  readonly id: MeterId;
  /** True while it must be read before anything can be accepted, as after a start. */
  readonly mustBeRead: boolean;
  accept(reason: string): Promise<string | null>;
}

/** Answers the requests of `accept-register` until aborted [gateway §7.4]. A failing disk delays an answer. */
export async function answerAccepts(
  meters: readonly AcceptingMeter[],
  { disk, dir, clock, log }: { disk: Disk; dir: string; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const requests = new AcceptRequests(disk, dir);
  const states = new StateLog(log, clock);
  const seenAtMs = new Map<MeterId, number>();
  const isEarly = (meter: AcceptingMeter | undefined) => {
    const nowMs = clock.monotonicMs();
    if (!meter?.mustBeRead) return false;
    if (!seenAtMs.has(meter.id)) seenAtMs.set(meter.id, nowMs);
    return nowMs - (seenAtMs.get(meter.id) ?? nowMs) < PATIENCE_MS;
  };
  while (!signal.aborted) {
    await sleep(clock, LOOK_MS, signal);
    if (signal.aborted) return;
    try {
      for (const { meterId, reason } of await requests.waiting()) {
        const meter = meters.find(({ id }) => id === meterId);
        if (isEarly(meter)) continue;
        seenAtMs.delete(meterId);
        const problem = meter ? await meter.accept(reason) : 'the running gateway has no such meter';
        await requests.settle(meterId, { problem });
      }
      states.ended('accept', { event: 'accept_works' }, 'Requests of accept-register are answered again');
    } catch (error) {
      const fields = { event: 'accept_failed', err: errorText(error) };
      states.holds('accept', fields, 'Failed to answer a request of accept-register');
    }
  }
}
