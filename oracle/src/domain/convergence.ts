import { Kind, type Payload } from '@gridtokenx/protocol';

/**
 * Tells when a scan that began again at a change has come to where nothing differs any more: what is above it was judged
 * from the same state before. So a late message costs the way to the next statement and the next good registers, not the
 * rest of the stream.
 */
export class Convergence {
  #link = false;
  #run = false;
  #reading = false;
  #since = false;
  #statement = false;
  #window = false;
  /** Highest window that may be new to the scan. */
  #newWindow: number;

  /** `newWindow`: highest window behind the start and among what is new. */
  constructor(newWindow: number) {
    this.#newWindow = newWindow;
  }

  /** A message that is new, or that lies where something has changed: nothing is as it was. */
  changed(payload: Payload): void {
    this.#link = this.#run = this.#reading = this.#since = this.#statement = this.#window = false;
    if (payload.kind === Kind.statement) this.#newWindow = Math.max(this.#newWindow, payload.window);
  }

  /** A message above the change; whether later registers were, and are now, compared with its own. */
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
        return;
    }
  }

  /** True when a scan of before would stand here in the same state. */
  get isReached(): boolean {
    return this.#link && this.#run && this.#reading && this.#since && this.#statement && this.#window;
  }
}
