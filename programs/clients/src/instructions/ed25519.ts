import { parseSign1, sigStructure } from '@gridtokenx/protocol';
import { Ed25519Program, type TransactionInstruction } from '@solana/web3.js';

/**
 * The Ed25519 precompile's instruction for a signed message of the wire format (171 bytes): verifies exactly its 115-byte
 * Sig_structure. Place it directly before the instruction that needs it.
 */
export function signedMessageVerification(publicKey: Uint8Array, message: Uint8Array): TransactionInstruction {
  const { payload, signature } = parseSign1(message);
  return Ed25519Program.createInstructionWithPublicKey({ publicKey, message: sigStructure(payload), signature });
}
