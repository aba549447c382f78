import { Kind, type Payload, type WindowOrNone } from '@gridtokenx/protocol';

/**
 * Kind of change at which a scan begins again: verdicts of stored messages (their time has come), new messages, or an
 * unknown change.
 */
export type Change = 'verdicts' | 'messages' | 'unknown';

/**
 * Detects when a scan that began at a change reaches a point above which nothing differs. The messages above that point
 * were judged from the same state before. So a late message costs the way to the next statement and the next good
 * registers, not the rest of the stream.
 */
export class Convergence {
  readonly #change: Change;
  #link: boolean;
  #run: boolean;
  #reading: boolean;
  #since: boolean;
  #statement: boolean;
  #window: boolean;
  /** Highest window that may be new to the scan. */
  #newWindow: WindowOrNone;

  /** `newWindow`: highest window behind the start. */
  constructor(change: Change, newWindow: WindowOrNone) {
    this.#change = change;
    // A scan begins below the change. Where it only continues, its former state is unknown.
    const isSame = change !== 'unknown';
    this.#link = this.#run = this.#reading = this.#since = this.#statement = this.#window = isSame;
    this.#newWindow = newWindow;
  }

  /** Notes a message that is new, or that lies where something has changed. */
  changed(payload: Payload): void {
    const { kind } = payload;
    if (this.#change === 'unknown') {
      this.#reading = this.#since = this.#statement = this.#window = false;
    }
    // Links, roots and windows follow from which messages are stored, whatever their verdicts.
    if (this.#change !== 'verdicts') this.#link = this.#run = false;
    if (kind === Kind.reading) this.#reading = this.#since = false;
    if (kind !== Kind.statement) return;
    this.#statement = this.#since = false;
    if (this.#change === 'verdicts') return;
    this.#window = false;
    if (payload.window > this.#newWindow) this.#newWindow = payload.window;
  }

  /**
   * Notes a message above the change. The flags state if later registers were, and are now, compared with its
   * registers.
   */
  passed(payload: Payload, wasBasis: boolean, isBasis: boolean): void {
    const isSame = wasBasis && isBasis;
    const isOther = wasBasis !== isBasis;
    switch (payload.kind) {
      case Kind.reading:
        this.#link = true;
        if (isSame) this.#reading = this.#since = true;
        if (isOther) this.#reading = this.#since = false;
        return;
      case Kind.event:
        this.#link = true;
        return;
      case Kind.statement:
        this.#run = this.#since = true;
        if (isSame) this.#statement = true;
        if (isOther) this.#statement = false;
        if (payload.window >= this.#newWindow) this.#window = true;
        return;
      case Kind.enrolment:
      case Kind.moreValues:
        return;
    }
  }

  /**
   * Returns true when the earlier scan had the same state here, as far as it matters above. Roots, windows and the last
   * statement matter to statements only.
   */
  isReached(hasStatementAbove: boolean): boolean {
    if (!this.#link || !this.#reading) return false;
    return !hasStatementAbove || (this.#run && this.#since && this.#statement && this.#window);
  }
}
