import type { PublicKeyText } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';

/** Time for which an oracle says that it is offline before that is a problem, ms: a restart is shorter. */
export const OFFLINE_MS = 60_000;

interface Offline {
  /** Since when this gateway knows it, monotonic ms. */
  readonly sinceMs: number;
  /** True when the gateway did not hear the oracle go: it went earlier. */
  readonly isEarlier: boolean;
}

export interface OraclePresenceOptions {
  /** The corrected clock: its time is shown. */
  readonly clock: Clock;
  readonly oracles: readonly PublicKeyText[];
  /** Oracles that must acknowledge a message. */
  readonly threshold: number;
}

/**
 * Remembers which configured oracles say that they are offline. Their word is unsigned: it explains a silence to a person,
 * and changes no rule of acknowledgement.
 */
export class OraclePresence {
  readonly #options: OraclePresenceOptions;
  readonly #online = new Set<PublicKeyText>();
  readonly #offline = new Map<PublicKeyText, Offline>();

  constructor(options: OraclePresenceOptions) {
    this.#options = options;
  }

  /** Records the status of an oracle. Ignores an oracle that the configuration does not name. */
  heard(oracle: PublicKeyText, isOnline: boolean): void {
    const { oracles, clock } = this.#options;
    if (!oracles.includes(oracle)) return;
    if (isOnline) {
      this.#offline.delete(oracle);
      this.#online.add(oracle);
    } else if (!this.#offline.has(oracle)) {
      this.#offline.set(oracle, { sinceMs: clock.monotonicMs(), isEarlier: !this.#online.has(oracle) });
      this.#online.delete(oracle);
    }
  }

  /** Records that the connection ended: from now on an oracle may leave unheard. */
  disconnected(): void {
    this.#online.clear();
  }

  /** Lists the oracles that have been offline for more than a minute, in plain words. */
  problems(): string[] {
    const { clock } = this.#options;
    return this.#gone().map(([oracle, { sinceMs, isEarlier }]) => {
      const atMs = clock.nowMs() - (clock.monotonicMs() - sinceMs);
      return `oracle ${oracle} is offline since ${utcText(atMs)}${isEarlier ? ' or earlier' : ''}: its operator has to start it or to mend its connection`;
    });
  }

  /** True while so many oracles are offline that no message can be acknowledged. */
  get explainsSilence(): boolean {
    const { oracles, threshold } = this.#options;
    return oracles.length - this.#gone().length < threshold;
  }

  #gone(): (readonly [PublicKeyText, Offline])[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#offline].filter(([, { sinceMs }]) => nowMs - sinceMs > OFFLINE_MS);
  }
}

const utcText = (ms: number) => `${new Date(Math.floor(ms)).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
