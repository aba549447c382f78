import type { MeterId, Wh, Window, WindowOrNone } from '@gridtokenx/protocol';

/** A verified statement of a quality that may be attested. Raw registers in Wh. */
export interface AttestableStatement {
  readonly meterId: MeterId;
  readonly window: Window;
  readonly importWh: Wh;
  readonly exportWh: Wh;
  /** The 96 signed bytes. */
  readonly payload: Uint8Array;
  /** The 171-byte message. */
  readonly message: Uint8Array;
  /** Real time at which it was stored. */
  readonly receivedAtMs: number;
}

/** A statement of a quality that may be attested, whatever its verdict: what a key said. Raw registers in Wh. */
export interface SignedStatement {
  readonly window: Window;
  readonly importWh: Wh;
  readonly exportWh: Wh;
  /** The 171-byte message. */
  readonly message: Uint8Array;
}

/** The ledger's statements, as settlement sees them. Reading may throw when the disk fails. */
export interface StatementStore {
  /** Verified, attestable, windows strictly above `afterWindow`, rising; at most `limit`. */
  attestable(meterId: MeterId, afterWindow: WindowOrNone, limit: number): AttestableStatement[];
  newest(meterId: MeterId): AttestableStatement | undefined;
  /**
   * Of a derived point: the statements of its two meters up to `window`, newest first, from at most `windows` windows.
   * Nothing for any other meter.
   */
  inputs(meterId: MeterId, window: Window, windows: number): AttestableStatement[];
  /** Returns statements of `key` for windows up to `window`, newest first, at most `limit`; verified or not. */
  signedBy(meterId: MeterId, key: Uint8Array, window: Window, limit: number): SignedStatement[];
  /** A statement by `key` that says exactly this; verified or not. */
  saying(
    meterId: MeterId,
    key: Uint8Array,
    exact: { readonly window: Window; readonly importWh: bigint; readonly exportWh: bigint },
  ): SignedStatement | undefined;
  /** Called after a commit that changed which statements are attestable (new ones, or revised verdicts). */
  onStored(listener: () => void): () => void;
}
