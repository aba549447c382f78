import { instructions } from '@gridtokenx/chain-client';
import { encodePayload } from '@gridtokenx/protocol';
import { signed } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { idOf, named } from './names.js';
import type { Enrolled, Said } from './ops.js';

const OTHER_NETWORK = new Uint8Array(8);

export function statementPayload(networkId: Uint8Array, said: Said): Uint8Array {
  return encodePayload({
    kind: 2,
    networkId: said.network ? networkId : OTHER_NETWORK,
    meterId: idOf(said.about),
    seq: BigInt(Math.max(1, said.window)),
    window: said.window,
    ...said.raw,
    readingCount: 15,
    quality: said.quality,
    timeUncertaintyMs: 20,
    readingsRoot: new Uint8Array(32),
  });
}

export function enrolmentPayload(networkId: Uint8Array, message: Enrolled): Uint8Array {
  const { zone, role, deviceSigned, window } = message;
  return encodePayload({
    kind: 4,
    networkId: message.network ? networkId : OTHER_NETWORK,
    meterId: idOf(message.about),
    seq: 1n,
    owner: named(message.owner).publicKey.toBytes(),
    ...message.raw,
    zone,
    source: 1,
    role,
    deviceSigned,
    keyEpoch: message.epoch,
    window,
  });
}

/** Builds the Ed25519 verification of a payload by a key. */
export function verification(key: string, payload: Uint8Array): TransactionInstruction {
  const pair = named(key);
  return instructions.signedMessageVerification(pair.publicKey.toBytes(), signed(pair, payload));
}
