import type { GatewayStatus } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';

/** Time without a sign of another gateway after which it counts as gone, ms: its reconnects take 30 s at most. */
const GONE_MS = 600_000;
/** Wait at the first connect while another session seems to be online: a running gateway is back within 250 ms. */
const CAUTION_MS = 5_000;
/** Time after the first connect in which the wills of an earlier run may still come, ms. */
const LATE_WILLS_MS = 90_000;
/** Sessions that left in that time, from which on they belong to no earlier run. */
const MAX_LATE_WILLS = 3;
/** Own session names that are remembered: each attempt to connect makes one. */
const MAX_OWN = 64;

/**
 * Notices another gateway with the same key by the status that the broker retains, and by seqs that an oracle has seen
 * and this gateway never sent ([why](../../../../docs/decisions/0016-cloned-gateway.md)).
 */
export class CloneWatch {
  readonly #clock: Clock;
  readonly #own = new Set<string>();
  /** Sessions of an earlier run, heard before this run published its first status. */
  readonly #before = new Set<string>();
  /** Other sessions that were heard after it. */
  readonly #others = new Set<string>();
  /** Steady time of the first connect to each broker, by its address: each retains a status of its own. */
  readonly #connectedAtMs = new Map<string, number>();
  /** True when a session of an earlier run, or of another gateway, seems to be online at a broker before the first connect. */
  #isSomebodyThere = false;
  #cautiousUntilMs = 0;
  #seenAtMs: number | null = null;
  #evidence = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records the name of a session that this gateway opens. */
  opens(session: string): void {
    this.#own.delete(session);
    this.#own.add(session);
    const [oldest] = this.#own;
    if (this.#own.size > MAX_OWN && oldest !== undefined) this.#own.delete(oldest);
  }

  /** Records that this gateway's own status is published at a broker. */
  connected(broker: string): void {
    if (this.#connectedAtMs.has(broker)) return;
    const now = this.#clock.monotonicMs();
    this.#connectedAtMs.set(broker, now);
    if (this.#isSomebodyThere) this.#cautiousUntilMs = now + CAUTION_MS;
  }

  /** Takes a status of this gateway's topic at a broker. */
  heard({ session, online }: GatewayStatus, broker: string): void {
    if (this.#own.has(session) || this.#before.has(session)) return;
    const sinceMs = this.#connectedAtMs.get(broker);
    if (sinceMs === undefined) {
      if (this.#before.size >= MAX_OWN) this.#before.clear();
      this.#before.add(session);
      this.#isSomebodyThere = online;
      return;
    }
    this.#others.add(session);
    const isLate = this.#clock.monotonicMs() - sinceMs >= LATE_WILLS_MS || this.#others.size >= MAX_LATE_WILLS;
    // A will says that the other is gone for the moment, as this gateway is for it: the broker lets one of them in.
    if (online || isLate) this.#found(`session ${session.slice(0, 16)}`);
    if (this.#others.size > MAX_OWN) this.#others.clear();
  }

  /** Takes the proof that an oracle has a message of the meter's key which this gateway never sent. */
  foreignMessage(meter: string): void {
    this.#found(`a message of meter ${meter} that was not sent here`);
  }

  #found(evidence: string): void {
    this.#seenAtMs = this.#clock.monotonicMs();
    this.#evidence = evidence;
  }

  /** Describes the other gateway; null while there is none. */
  get problem(): string | null {
    if (this.#seenAtMs === null || this.#clock.monotonicMs() - this.#seenAtMs >= GONE_MS) return null;
    const what = `another gateway with this key is online (${this.#evidence})`;
    return `${what}: this one sends nothing until it is gone; stop the copy, and give it keys of its own by "init" in an empty data_dir`;
  }

  /** True while nothing may be sent. */
  get isHolding(): boolean {
    return this.problem !== null || this.#clock.monotonicMs() < this.#cautiousUntilMs;
  }
}
