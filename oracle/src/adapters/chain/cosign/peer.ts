import type { Duplex } from 'node:stream';
import type { PublicKeyText, Signer, Verifier } from '@gridtokenx/protocol';

/** Another oracle of the zone's attestors. */
export interface Peer {
  /** Identity key, base58. */
  readonly oracle: PublicKeyText;
  /** Attestor key, base58. */
  readonly attestor: PublicKeyText;
  /** Where its HTTP is; `/cosign` is asked there. */
  readonly url: string;
  /** Opens a connection whose other side has proved its name; needed for https. Rejects with what is wrong, in words. */
  readonly dial?: () => Promise<Duplex>;
}

/** Several oracles attest together [settlement §8]. */
export interface CosignDeps {
  readonly peers: readonly Peer[];
  /** Signatures that this oracle wants at least; the zone's own threshold holds too. */
  readonly threshold: number;
  /** This oracle's identity key. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  /**
   * Verifies and stores messages that another oracle (32 bytes) showed, like any that arrive; returns after the commit.
   * Skips what the ledger cannot store.
   */
  readonly exchange: (from: Uint8Array, messages: readonly Uint8Array[]) => void;
}
