import type { Brand } from './brand.js';
import { base58Encode, concatBytes, publicKeyFromBase58, sha256, toHex } from './bytes.js';

/** A meter's id as text: 32 digits of lower-case hex. */
export type MeterId = Brand<string, 'MeterId'>;
/** A public key as text: base58 of 32 bytes, as base58 writes it. */
export type PublicKeyText = Brand<string, 'PublicKeyText'>;

const METER_ID = /^[0-9a-f]{32}$/;

const text = new TextEncoder();
const ZERO = Uint8Array.of(0);

function part(value: string): Uint8Array {
  const clean = value.normalize('NFC').trim();
  if (clean.includes('\0')) throw new RangeError('a name on a nameplate cannot hold a zero byte');
  return text.encode(clean);
}

/** The texts printed on the meter, and the salt of its commissioning (16 random bytes, kept by gateway and utility). */
export interface Nameplate {
  readonly salt: Uint8Array;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
}

/**
 * Returns the meter_id, 16 bytes: SHA-256("gridtokenx/meter/1" | 0 | salt | manufacturer | 0 | model | 0 | serial), truncated.
 * Texts are trimmed and in NFC [wire §2.3]. Without the salt the id reveals nothing about the serial number.
 */
export function meterId(plate: Nameplate): Uint8Array {
  if (plate.salt.length !== 16) throw new RangeError(`salt of ${plate.salt.length} bytes, expected 16`);
  const names = concatBytes(part(plate.manufacturer), ZERO, part(plate.model), ZERO, part(plate.serial));
  return sha256(text.encode('gridtokenx/meter/1'), ZERO, plate.salt, names).slice(0, 16);
}

/** Returns the id of a connection point derived from two meters, 16 bytes [wire §2.4]. */
export function pointId(productionId: Uint8Array, consumptionId: Uint8Array): Uint8Array {
  if (productionId.length !== 16 || consumptionId.length !== 16) throw new RangeError('a meter_id has 16 bytes');
  return sha256(text.encode('gridtokenx/point/1'), ZERO, productionId, consumptionId).slice(0, 16);
}

/** Returns the network_id, 8 bytes: SHA-256(genesis hash 32 | oracle program id 32 | salt 16), truncated [wire §2.5]. */
export function networkId(genesisHash: Uint8Array, oracleProgram: Uint8Array, salt: Uint8Array): Uint8Array {
  if (genesisHash.length !== 32 || oracleProgram.length !== 32 || salt.length !== 16) {
    throw new RangeError('network_id is made of 32, 32 and 16 bytes');
  }
  return sha256(genesisHash, oracleProgram, salt).slice(0, 8);
}

/** Returns the first 16 bytes of SHA-256: `prev` names a payload and `refused` a message by it [wire §3.4]. */
export function shortHash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes).slice(0, 16);
}

/** Checks a meter's id, given as text or as 16 bytes. Throws `RangeError` for anything else. */
export function asMeterId(value: string | Uint8Array): MeterId {
  const text = typeof value === 'string' ? value : toHex(value);
  if (!METER_ID.test(text)) throw new RangeError('a meter id has 32 digits of lower-case hex');
  return text as MeterId;
}

/** Checks a public key, given as text or as 32 bytes. Throws `RangeError`, also for text in another spelling. */
export function asPublicKeyText(value: string | Uint8Array): PublicKeyText {
  if (typeof value !== 'string' && value.length !== 32) throw new RangeError('a public key has 32 bytes');
  const text = base58Encode(typeof value === 'string' ? keyOf(value) : value);
  if (typeof value === 'string' && text !== value)
    throw new RangeError('a public key is not written as base58 writes it');
  return text as PublicKeyText;
}

function keyOf(text: string): Uint8Array {
  try {
    return publicKeyFromBase58(text);
  } catch (cause) {
    throw new RangeError('a public key is base58 of 32 bytes', { cause });
  }
}
