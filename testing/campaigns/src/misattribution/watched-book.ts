import { ShapeBook, USUAL_RULES } from '#edge/domain/bus/shapes.js';

export interface WatchedBookOptions {
  /** Told of each request: the whole wait that is in force for it, ms. */
  readonly onWait: (waitMs: number) => void;
  /** Takes the place of the quarantine's rule, ms: for controls, which break it on purpose; null otherwise. */
  readonly insteadMs: (() => number) | null;
}

/** The gateway's own book of shapes, which tells of each wait; a control shortens its quarantine. */
export class WatchedBook extends ShapeBook {
  readonly #watch: WatchedBookOptions;

  constructor(watch: WatchedBookOptions) {
    super(USUAL_RULES);
    this.#watch = watch;
  }

  override sent(unit: number, fn: number, bytes: number, nowMs: number, timeoutMs: number): void {
    this.#watch.onWait(timeoutMs);
    super.sent(unit, fn, bytes, nowMs, timeoutMs);
  }

  override quarantineMs(unit: number): number {
    return this.#watch.insteadMs?.() ?? super.quarantineMs(unit);
  }
}
