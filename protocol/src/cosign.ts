import { CborFields, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import { SIGN1_BYTES } from './cose.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/** A page has 256 slots, so a transaction rests on at most as many statements. */
export const MAX_COSIGN_STATEMENTS = 256;
/** Largest message of a transaction that the network carries. */
const MAX_TRANSACTION_BYTES = 1_232;

/** One oracle asks another to sign an attest_page transaction with it. */
export interface CosignRequest {
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  /** Real time, milliseconds. */
  readonly timeMs: number;
  /** Identity key of the oracle that is asked, 32 bytes: a request to one is worth nothing to another. */
  readonly to: Uint8Array;
  /** The bytes that a signature is asked for. */
  readonly transaction: Uint8Array;
  /** The 171-byte messages of the statements that the totals come from, in slot order, after those that these rest on. */
  readonly statements: readonly Uint8Array[];
}

/**
 * Signs a request with the asking oracle's identity key [wire §7.6]. Throws `RangeError` for more than 256 statements.
 */
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

/** A request that `oracle` signed. Throws `WireError`. */
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
