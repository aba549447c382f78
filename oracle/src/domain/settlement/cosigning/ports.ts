import type { PublicKeyText } from '@gridtokenx/protocol';

/** Answers `POST /cosign` as JSON: a signature, or the refusal. */
export interface CosignAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** An attest_page that a signature is about to be given for. */
export interface Commitment {
  readonly zone: number;
  readonly page: number;
  readonly version: bigint;
  /** Of the instruction's data. */
  readonly digest: Uint8Array;
  readonly blockhash: string;
  /** As this oracle's own node sees it. */
  readonly lastValidHeight: number;
  /** Base58 identity of the oracle that sends it. */
  readonly leader: PublicKeyText;
}

/** A commitment whose transaction may still land, as far as is known. */
export interface SignedBefore {
  readonly id: number;
  readonly blockhash: string;
  readonly lastValidHeight: number;
}

/** Durable memory of what this attestor has signed. A method that returns has committed; throws when the disk fails. */
export interface CosignRecord {
  /** Commitments for the same page version with another digest that have not lapsed. */
  others(wanted: Commitment): SignedBefore[];
  /** It can never land any more. */
  lapsed(id: number, nowMs: number): void;
  add(commitment: Commitment, nowMs: number): void;
}
