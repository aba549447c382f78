/** Part of the idle time after which a connection was found dead, from which on it is not trusted. */
const EARLIER = 0.9;

/**
 * Learns after how much idle time a peer drops a connection. Many devices close a connection that carries nothing for
 * some seconds, or forget it without a word. All times in ms.
 */
export class IdleTime {
  /** The shortest idle time after which the connection was found dead. */
  #lostMs = Number.POSITIVE_INFINITY;
  /** The longest idle time after which a request was answered. */
  #survivedMs = 0;

  /** Returns the idle time from which on a connection is opened anew before its use; null while none was lost. */
  get limitMs(): number | null {
    return Number.isFinite(this.#lostMs) ? Math.max(this.#lostMs, this.#survivedMs) : null;
  }

  /** Returns true when a connection that was idle so long is dead by experience. */
  isOver(idleMs: number): boolean {
    return idleMs >= EARLIER * this.#lostMs && idleMs > this.#survivedMs;
  }

  lost(idleMs: number): void {
    this.#lostMs = Math.min(this.#lostMs, idleMs);
  }

  survived(idleMs: number): void {
    this.#survivedMs = Math.max(this.#survivedMs, idleMs);
  }
}
