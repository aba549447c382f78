import type { Window } from '../units.js';

/** Names the four kinds of payload [wire §4]; the number is the payload's fourth byte. */
export const Kind = { reading: 1, statement: 2, event: 3, enrolment: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A payload before encoding. The encoder checks that the number of its window fits u32. */
export type ToEncode<P extends { readonly window: Window }> = Omit<P, 'window'> & { readonly window: number };

/** Fields with which every payload starts. */
export interface PayloadHeader {
  /** 8 bytes; see `networkId`. */
  readonly networkId: Uint8Array;
  /** 16 bytes; see `meterId`. */
  readonly meterId: Uint8Array;
  /** From 1 for each key, +1 for every payload of any kind, never reused. */
  readonly seq: bigint;
}
