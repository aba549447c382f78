import type { AttestItem } from '@gridtokenx/chain-client';
import { asWh, encodePayload, encodeSign1, sigStructure } from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';
import sign from './sign.js';

/** Returns the message that `key` signed over a payload. */
export function signed(key: Keypair, payload: Uint8Array): Uint8Array {
  return encodeSign1(payload, sign(key, sigStructure(payload)));
}

type Total = { readonly exportWh: bigint; readonly importWh: bigint };

/** Returns a statement payload; the chain sees only its place in the root. */
export function statement(slot: number, window: number, total: Total): Uint8Array {
  return encodePayload({
    kind: 2,
    networkId: new Uint8Array(8),
    meterId: Uint8Array.from({ length: 16 }, (_, index) => (index < 2 ? slot >> (8 * index) : 0)),
    seq: BigInt(window),
    window,
    importWh: total.importWh,
    exportWh: total.exportWh,
    readingCount: 15,
    quality: 64,
    timeUncertaintyMs: 20,
    readingsRoot: new Uint8Array(32),
  });
}

/** The item of a slot in an attest_page, with its statement payload. */
export function attestItem(slot: number, window: number, total: Total): AttestItem {
  const payload = statement(slot, window, total);
  return { slot, exportWh: asWh(total.exportWh), importWh: asWh(total.importWh), payload };
}
