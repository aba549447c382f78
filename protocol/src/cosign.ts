import { CborFields, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import { SIGN1_BYTES } from './cose.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/** Bounds the statements behind a transaction: a page has 256 slots. */
export const MAX_COSIGN_STATEMENTS = 256;
/** Bounds the message of a transaction, in bytes: the network carries no longer one. */
const MAX_TRANSACTION_BYTES = 1_232;

/** A request of one oracle that another sign an attest_page transaction too. */
export interface CosignRequest {
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  /** Real time, milliseconds. */
  readonly timeMs: number;
  /** Identity key of the addressed oracle, 32 bytes. The request is worthless to any other oracle. */
  readonly to: Uint8Array;
  /** The bytes to sign. */
  readonly transaction: Uint8Array;
  /**
   * The 171-byte messages of the statements behind the totals, in slot order. Earlier statements on which these rest come
   * first.
   */
  readonly statements: readonly Uint8Array[];
}

/** Signs a request with the requesting oracle's identity key [wire §7.6]. Throws `RangeError` for more than 256 statements. */
export function signCosignRequest(request: CosignRequest, signer: Signer): Uint8Array {
  const { statements } = request;
  if (statements.length > MAX_COSIGN_STATEMENTS) throw new RangeError(`${statements.length} statements, at most 256`);
  const joined = new Uint8Array(statements.length * SIGN1_BYTES);
  for (const [index, statement] of statements.entries()) {
    if (statement.length !== SIGN1_BYTES) throw new RangeError(`a message of ${statement.length} bytes`);
    joined.set(statement, index * SIGN1_BYTES);
  }
  const content = new Map<number, CborValue>([
    [1, request.networkId],
    [2, request.timeMs],
    [3, request.to],
    [4, request.transaction],
    [5, joined],
  ]);
  return signControl(Purpose.cosign, content, signer);
}

/** Opens a request signed by `oracle`. Throws `WireError`. */
export function openCosignRequest(message: Uint8Array, oracle: Uint8Array, verifier: Verifier): CosignRequest {
  const fields = new CborFields('cosign', openControl(Purpose.cosign, message, oracle, verifier), [1, 2, 3, 4, 5]);
  const joined = fields.bytesUpTo(5, MAX_COSIGN_STATEMENTS * SIGN1_BYTES);
  if (joined.length % SIGN1_BYTES !== 0) throw new WireError(Reason.malformed, 'cosign: statements are n x 171 bytes');
  const count = joined.length / SIGN1_BYTES;
  return {
    networkId: fields.bytes(1, 8),
    timeMs: fields.safe(2),
    to: fields.bytes(3, 32),
    transaction: fields.bytesUpTo(4, MAX_TRANSACTION_BYTES),
    statements: Array.from({ length: count }, (_, i) => joined.slice(i * SIGN1_BYTES, (i + 1) * SIGN1_BYTES)),
  };
}
