import type { SignedMessage } from '../domain/signed-message.js';

type Listener = (message: SignedMessage) => void;

/** Forwards each committed message, in seq order of one meter, to all listeners. */
export class Commits {
  readonly #listeners: Listener[] = [];

  join(listener: Listener): void {
    this.#listeners.push(listener);
  }

  notify(message: SignedMessage): void {
    for (const listener of this.#listeners) listener(message);
  }
}
