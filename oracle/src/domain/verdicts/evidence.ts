import { Kind, type Payload, type Window } from '@gridtokenx/protocol';

/** A stored message that contradicts another message of the same key. */
export interface Contradicting {
  readonly payload: Payload;
  /** The 171 bytes. */
  readonly message: Uint8Array;
  /** Real time at which it was stored, ms. */
  readonly receivedAtMs: number;
}

/** The seq or the window that both messages claim: each is used once only. */
export type Place = { readonly seq: bigint } | { readonly window: Window };

/** Two messages that no honest key signs, and their contradiction. */
export interface Evidence {
  readonly place: Place;
  readonly messages: readonly [Contradicting, Contradicting];
}

function windowOf({ payload }: Contradicting): Window | null {
  return payload.kind === Kind.statement ? payload.window : null;
}

/** Returns null when both messages of one key are compatible [wire §9.3]. */
export function contradiction(a: Contradicting, b: Contradicting): Place | null {
  if (a.payload.seq === b.payload.seq) return { seq: a.payload.seq };
  const window = windowOf(a);
  return window !== null && window === windowOf(b) ? { window } : null;
}

/**
 * Returns the contradiction from which a key is suspended: the lowest contradicted seq, with the lowest message that
 * contradicts it. `messages`: of one key, in any order. Null when none contradicts another.
 */
export function lowestContradiction(messages: readonly Contradicting[]): Evidence | null {
  const rising = [...messages].sort((a, b) => (a.payload.seq < b.payload.seq ? -1 : 1));
  for (const [index, first] of rising.entries()) {
    for (const second of rising.slice(index + 1)) {
      const place = contradiction(first, second);
      if (place) return { place, messages: [first, second] };
    }
  }
  return null;
}
