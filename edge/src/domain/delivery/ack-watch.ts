import type { MeterId, PublicKeyText } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import type { Spool } from '../ports.js';
import type { AckTracker } from './ack-tracker.js';
import type { OraclePresence } from './oracle-presence.js';

/** Time with a session in which records wait and nothing of a meter is acknowledged, ms. */
export const UNACKNOWLEDGED_MS = 600_000;
const LOOK_MS = 2_000;
const MINUTE_MS = 60_000;

export interface AckWatchOptions {
  readonly clock: Clock;
  readonly acks: Pick<AckTracker, 'acknowledged'>;
  readonly presence: Pick<OraclePresence, 'problems' | 'explainsSilence'>;
  readonly spool: Pick<Spool, 'count' | 'highest'>;
  /** Returns the enrolled meters and points. */
  readonly meters: () => readonly { readonly id: MeterId; readonly name: string }[];
}

/** The uplink, as the watch sees it. */
export interface WatchedUplink {
  readonly online: boolean;
  /** Oracles that the configuration does not name and that sent acks for this gateway. */
  readonly strangers: readonly PublicKeyText[];
}

interface Waiting {
  readonly name: string;
  readonly acknowledged: bigint;
  /** Since when this watermark has stood while records waited, monotonic ms. */
  readonly sinceMs: number;
}

/**
 * Notices that nothing is acknowledged although the gateway is connected: an oracle acknowledges nothing of a meter that
 * is not registered, and would do so in silence. Counts only the time of sessions.
 */
export class AckWatch {
  readonly #options: AckWatchOptions;
  readonly #waiting = new Map<MeterId, Waiting>();
  #strangers: readonly PublicKeyText[] = [];
  #isAnyHeard = false;
  #isOnline = false;

  constructor(options: AckWatchOptions) {
    this.#options = options;
  }

  /** Records that an oracle of the configuration sent an ack. */
  heard(): void {
    this.#isAnyHeard = true;
  }

  /** Looks every two seconds until aborted. */
  async run(uplink: WatchedUplink, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.look(uplink);
      await sleep(this.#options.clock, LOOK_MS, signal);
    }
  }

  /** Records which meters wait for an acknowledgement. */
  look({ online, strangers }: WatchedUplink): void {
    const { acks, spool, clock, meters } = this.#options;
    this.#strangers = strangers;
    this.#isOnline = online;
    if (!online) this.#waiting.clear();
    for (const { id, name } of online ? meters() : []) {
      const acknowledged = acks.acknowledged(id);
      const isWaiting = spool.count(id, acknowledged + 1n, spool.highest(id)) > 0;
      if (!isWaiting) this.#waiting.delete(id);
      else if (this.#waiting.get(id)?.acknowledged !== acknowledged)
        this.#waiting.set(id, { name, acknowledged, sinceMs: clock.monotonicMs() });
    }
  }

  /** Lists the problems in plain words. Returns an empty list while acks come and no oracle is offline. */
  problems(): string[] {
    const { presence } = this.#options;
    // Without a session nothing is known of the oracles, and health names the connection.
    const offline = this.#isOnline ? presence.problems() : [];
    return offline.length > 0 && presence.explainsSilence ? offline : [...offline, ...this.#silences()];
  }

  #silences(): string[] {
    if (!this.#isAnyHeard && this.#strangers.length > 0)
      return [
        `acks come from ${this.#strangers.join(', ')}, an oracle that the configuration does not name, and none from those that it names: correct oracles[].key`,
      ];
    const nowMs = this.#options.clock.monotonicMs();
    const stuck = [...this.#waiting.values()].filter(({ sinceMs }) => nowMs - sinceMs >= UNACKNOWLEDGED_MS);
    const [first] = stuck;
    const minutes = ({ sinceMs }: Waiting) => Math.floor((nowMs - sinceMs) / MINUTE_MS);
    if (first && !this.#isAnyHeard)
      return [
        `no oracle acknowledged anything for ${minutes(first)} min while connected: does an oracle run at this broker, and are the keys in oracles right?`,
      ];
    return stuck.map((one) =>
      one.acknowledged === 0n
        ? `nothing of ${one.name} was ever acknowledged, for ${minutes(one)} min while connected: the utility has to register it with what \`enrol\` writes`
        : `nothing more of ${one.name} was acknowledged for ${minutes(one)} min while connected: ask your utility whether it is still registered`,
    );
  }
}
