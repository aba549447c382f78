import { asMeterId, encodePayload, Kind, sha256 } from '@gridtokenx/protocol';
import { type SignedMessage, signMessage } from '../../src/domain/signed-message.js';

const text = new TextEncoder();
export const METER = sha256(text.encode('a meter')).slice(0, 16);
export const METER_HEX = asMeterId(METER);
export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** Builds a message with a signature that nobody checks; the content differs for each seq and salt. */
export function message(
  seq: bigint,
  kind: 'reading' | 'statement' = 'reading',
  salt = 0,
  meterId = METER,
): SignedMessage {
  const head = { networkId: NETWORK, meterId, seq };
  const payload =
    kind === 'reading'
      ? encodePayload({
          kind: Kind.reading,
          ...head,
          timeMs: seq * 1000n,
          importWh: seq,
          exportWh: BigInt(salt),
          powerW: null,
          voltageDv: null,
          frequencyChz: null,
          timeUncertaintyMs: 0,
          quality: 64,
          bootCount: 0,
          raw: new Uint8Array(4),
          prev: new Uint8Array(16),
        })
      : encodePayload({
          kind: Kind.statement,
          ...head,
          window: Number(seq),
          importWh: seq,
          exportWh: BigInt(salt),
          readingCount: 0,
          quality: 64,
          timeUncertaintyMs: 0,
          readingsRoot: new Uint8Array(32),
        });
  return signMessage(payload, {
    publicKey: new Uint8Array(32),
    sign: () => new Uint8Array(64).fill(Number(seq % 251n)),
  });
}
