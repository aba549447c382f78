import { ReplyQuarantine, USUAL_RULES } from '#edge/domain/bus/reply-quarantine.js';

export interface WatchedBookOptions {
  /** Called for each request with the whole wait in force for it, ms. */
  readonly onWait: (waitMs: number) => void;
  /** Replaces the quarantine's rule, ms: for controls, which break it on purpose; null otherwise. */
  readonly insteadMs: (() => number) | null;
}

/** The gateway's own reply quarantine, which reports each wait; a control shortens its quarantine. */
export class WatchedQuarantine extends ReplyQuarantine {
  readonly #watch: WatchedBookOptions;

  constructor(watch: WatchedBookOptions) {
    super(USUAL_RULES);
    this.#watch = watch;
  }

  override onRequest(unit: number, fn: number, bytes: number, nowMs: number, timeoutMs: number): void {
    this.#watch.onWait(timeoutMs);
    super.onRequest(unit, fn, bytes, nowMs, timeoutMs);
  }

  override quarantineMs(unit: number): number {
    return this.#watch.insteadMs?.() ?? super.quarantineMs(unit);
  }
}
