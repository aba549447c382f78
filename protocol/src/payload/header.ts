import type { Wh, Window } from '../units.js';

/** Names the kinds of payload [wire §4]; the number is the payload's fourth byte. */
export const Kind = { reading: 1, statement: 2, event: 3, enrolment: 4, moreValues: 5 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Takes off the brand: the encoder checks that a window fits u32 and that a register fits u64. */
type Unchecked<T> = T extends Window ? number : T extends Wh ? bigint : T;
/** A payload before the encoder has checked its window and its registers. */
export type ToEncode<P> = { readonly [K in keyof P]: Unchecked<P[K]> };

/** Fields with which every payload starts. */
export interface PayloadHeader {
  /** 8 bytes; see `networkId`. */
  readonly networkId: Uint8Array;
  /** 16 bytes; see `meterId`. */
  readonly meterId: Uint8Array;
  /** From 1 for each key, +1 for every payload of any kind, never reused. */
  readonly seq: bigint;
}
