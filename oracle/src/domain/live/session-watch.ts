import type { PublicKeyText } from '@gridtokenx/protocol';

/** Sessions of one gateway that are remembered. */
const MAX_SESSIONS = 8;
/** Time after the last sign in which a copy is named, ms. */
const NAMED_MS = 600_000;

interface Sessions {
  /** Names of the newest sessions, the newest last. */
  readonly names: string[];
  alternatedAtMs: number | null;
}

/**
 * Notices two gateways with one key by their statuses: a session that a later one has replaced speaks again. A gateway
 * that reconnects has a new session each time, and its old ones stay silent.
 */
export class SessionWatch {
  readonly #gateways = new Map<PublicKeyText, Sessions>();

  /** Takes the session of a status that says online. */
  heard(gateway: PublicKeyText, session: string, nowMs: number): void {
    const known = this.#gateways.get(gateway) ?? { names: [], alternatedAtMs: null };
    this.#gateways.set(gateway, known);
    const { names } = known;
    if (names.at(-1) === session) return;
    const at = names.indexOf(session);
    if (at >= 0) {
      known.alternatedAtMs = nowMs;
      names.splice(at, 1);
    }
    names.push(session);
    if (names.length > MAX_SESSIONS) names.shift();
  }

  /** Lists the gateways whose sessions alternated in the last ten minutes. */
  alternating(nowMs: number): PublicKeyText[] {
    return [...this.#gateways].flatMap(([gateway, { alternatedAtMs }]) =>
      alternatedAtMs !== null && nowMs - alternatedAtMs < NAMED_MS ? [gateway] : [],
    );
  }
}
