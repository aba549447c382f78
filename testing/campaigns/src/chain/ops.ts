import type { Limits, MeterRef, Pair } from './model-state.js';

/** A signed statement; registers are raw. */
export interface Said {
  readonly window: number;
  readonly raw: Pair;
  readonly quality: number;
  /** True when it names this network; false for another network. */
  readonly network: boolean;
  /** The name of the meter whose id the payload has. */
  readonly about: string;
  /** The key that signed it, by name. */
  readonly key: string;
}

/** An enrolment message; `key` signed it. */
export interface Enrolled {
  readonly network: boolean;
  readonly zone: number;
  /** The name of the meter whose id the payload has. */
  readonly about: string;
  readonly owner: string;
  readonly role: 0 | 1;
  readonly deviceSigned: boolean;
  readonly epoch: number;
  readonly window: number;
  readonly raw: Pair;
  readonly key: string;
}

export type SaidKind = 'submit' | 'dispute' | 'answer';
export type PlainKind = 'conclude' | 'sync' | 'activate' | 'mintMeter';

/** Instructions about zones, attestors, users and accounts that are made once. */
export type ZoneOp =
  | { readonly kind: 'initialize' | 'initializeToken'; readonly by: string }
  | { readonly kind: 'createZone'; readonly zone: number; readonly by: string; readonly capacityW: bigint }
  | {
      readonly kind: 'announce';
      readonly zone: number;
      readonly by: string;
      readonly keys: readonly string[];
      readonly threshold: number;
    }
  | { readonly kind: 'install' | 'createBudget'; readonly zone: number }
  | { readonly kind: 'cancel'; readonly zone: number; readonly signers: readonly string[] }
  | {
      readonly kind: 'user';
      readonly zone: number;
      readonly by: string;
      readonly wallet: string;
      readonly role: 1 | 2 | 3;
    }
  | { readonly kind: 'createPage' | 'createLedger' | 'mintPage'; readonly zone: number; readonly page: number };

/** Instructions that write a meter's record. */
export type RecordOp =
  | {
      readonly kind: 'register';
      /** Gives the zone; the message names the meter's id. */
      readonly meter: MeterRef;
      readonly by: string;
      readonly point: string;
      readonly message: Enrolled;
    }
  | {
      readonly kind: 'confirm';
      readonly meter: MeterRef;
      readonly by: string;
      readonly key: string;
      /** The enrolment that the utility inspected. */
      readonly message: Enrolled;
      readonly point: string;
      readonly limits: Limits;
    }
  | {
      readonly kind: 'status';
      readonly meter: MeterRef;
      readonly by: string;
      readonly status: 'active' | 'suspended' | 'closed';
      readonly point: string;
      /** The statement that the previous instruction verifies, if any. */
      readonly said: Said | undefined;
      /** True when the slot's case is among the accounts. */
      readonly withCase: boolean;
    }
  | {
      readonly kind: 'rotate';
      readonly meter: MeterRef;
      readonly by: string;
      readonly oldKey: string;
      /** The signer in the place of the old key; undefined without recovery. */
      readonly recovery: string | undefined;
      readonly message: Enrolled;
    }
  | {
      readonly kind: 'replace';
      readonly meter: MeterRef;
      readonly by: string;
      readonly next: MeterRef;
      readonly point: string;
      readonly limits: Limits;
      readonly message: Enrolled;
    };

/** Instructions about slots and energy. */
export type SlotOp =
  | {
      readonly kind: 'attest';
      readonly zone: number;
      readonly page: number;
      readonly version: bigint;
      readonly moves: number;
      readonly window: number;
      /** Names of the signers. */
      readonly signers: readonly string[];
      /** New totals, and the totals against which they were encoded. */
      readonly items: readonly { readonly slot: number; readonly total: Pair; readonly read: Pair }[];
    }
  | { readonly kind: SaidKind; readonly meter: MeterRef; readonly said: Said }
  | { readonly kind: PlainKind; readonly meter: MeterRef }
  | { readonly kind: 'destination'; readonly meter: MeterRef; readonly by: string; readonly wallet: boolean }
  | { readonly kind: 'retire'; readonly meter: MeterRef; readonly by: string; readonly wh: bigint };

/**
 * One instruction of the campaign with all its arguments, so that the campaign can send it again, later, or in another
 * order. Names stand for keys and people.
 */
export type Instruction = ZoneOp | RecordOp | SlotOp;
export type Op = { readonly kind: 'clock'; readonly seconds: number } | Instruction;
type Having<O, K> = O extends { readonly kind: infer L } ? (K extends L ? O : never) : never;
/** The ops of a kind. */
export type Of<K extends Op['kind']> = Having<Op, K>;
