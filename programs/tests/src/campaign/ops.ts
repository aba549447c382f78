import type { Pair } from './model-state.js';

/** A statement as it was signed; registers are raw. */
export interface Said {
  readonly window: number;
  readonly raw: Pair;
  readonly quality: number;
  /** Names this network, or another one. */
  readonly network: boolean;
  /** The meter whose id the payload has. */
  readonly about: string;
  /** The key that signed it, by name. */
  readonly key: string;
}

/**
 * One instruction of the campaign with all its arguments, so that it can be sent again, later, or in another order. Who signs is
 * named: 'utility', or an owner.
 */
export type Op =
  | { readonly kind: 'clock'; readonly seconds: number }
  | {
      readonly kind: 'attest';
      readonly version: bigint;
      readonly moves: number;
      readonly window: number;
      /** Bitmap of the attestors that sign. */
      readonly signers: number;
      /** New totals, and the totals that they were encoded against. */
      readonly items: readonly { readonly slot: number; readonly total: Pair; readonly read: Pair }[];
    }
  | { readonly kind: 'submit' | 'dispute' | 'answer'; readonly meter: string; readonly said: Said }
  | { readonly kind: 'conclude' | 'sync' | 'activate' | 'mintMeter'; readonly meter: string }
  | {
      readonly kind: 'status';
      readonly meter: string;
      readonly by: string;
      readonly status: 'active' | 'suspended' | 'closed';
      readonly accepted: { readonly window: number; readonly raw: Pair; readonly total: Pair };
      /** The slot's case is among the accounts. */
      readonly withCase: boolean;
    }
  | {
      readonly kind: 'rotate';
      readonly meter: string;
      readonly by: string;
      readonly key: string;
      readonly oldKey: string;
      readonly recovery: boolean;
      readonly epoch: number;
      readonly window: number;
    }
  | {
      readonly kind: 'replace';
      readonly meter: string;
      readonly next: string;
      readonly key: string;
      readonly carried: Pair;
      readonly raw: Pair;
      readonly window: number;
    }
  | { readonly kind: 'mintPage' }
  | { readonly kind: 'destination'; readonly meter: string; readonly by: string; readonly wallet: boolean }
  | { readonly kind: 'retire'; readonly meter: string; readonly by: string; readonly wh: bigint };
