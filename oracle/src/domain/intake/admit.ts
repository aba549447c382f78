import {
  asMeterId,
  decodePayload,
  equalBytes,
  type MeterId,
  type Payload,
  parseSign1,
  Reason,
  shortHash,
  sigStructure,
  type Verifier,
  WireError,
} from '@gridtokenx/protocol';
import type { MeterRecord, Registry } from '../ports.js';
import { refusedFor, type Verdict } from '../verdicts/verdict.js';
import type { VerifyJob } from './ports.js';

/** A message with a valid signature of a key that is registered for its meter. Order and registers are judged later. */
export interface Admitted {
  readonly meter: MeterRecord;
  /** The key that signed, 32 bytes: meter and key name the stream. */
  readonly key: Uint8Array;
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  /** The 171 bytes. */
  readonly message: Uint8Array;
  /** First 16 bytes of SHA-256 of the message: names the message in acks. */
  readonly hash: Uint8Array;
}

/** A message that belongs to no stream. `meterId` and `seq` are its claims, where they could be read. */
export interface Rejected {
  readonly verdict: Verdict;
  readonly hash: Uint8Array;
  readonly message: Uint8Array;
  readonly meterId: MeterId | null;
  readonly seq: bigint | null;
}

export type Admission = { readonly admitted: Admitted } | { readonly rejected: Rejected };

/** Maximum number of other meters' keys that are tried, to distinguish a mixed-up key from a forged signature. */
const MIXED_UP_KEYS = 8;

/** A message with a valid frame and a valid payload. */
export interface Parsed {
  readonly message: Uint8Array;
  readonly hash: Uint8Array;
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly meterId: MeterId;
}

/** Parses a message. Refuses everything that depends on the bytes alone: frame, version, values. */
export function parse(message: Uint8Array): { readonly parsed: Parsed } | { readonly rejected: Rejected } {
  const hash = shortHash(message);
  try {
    const frame = parseSign1(message);
    const payload = decodePayload(frame.payload);
    const meterId = asMeterId(payload.meterId);
    return { parsed: { message, hash, payload, signed: frame.payload, signature: frame.signature, meterId } };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { rejected: { verdict: refusedFor(error.reason), hash, message, meterId: null, seq: null } };
  }
}

/**
 * Returns the job that the verdict most likely depends on: the signature by the key in force. Null where, by present
 * knowledge, no signature needs a check. `decide` interprets the answer.
 */
export function verifyJobOf(parsed: Parsed, networkId: Uint8Array, registry: Registry): VerifyJob | null {
  if (!equalBytes(parsed.payload.networkId, networkId)) return null;
  const meter = registry.meter(parsed.meterId);
  return meter ? { signature: parsed.signature, message: sigStructure(parsed.signed), key: meter.key } : null;
}

/**
 * Returns `isSignedBy(key)`. Reuses the answer for the job's key; any other key is verified here, synchronously. So the
 * registry may change between job and answer.
 */
export function signedBy(
  parsed: Parsed,
  verifier: Verifier,
  asked: { readonly key: Uint8Array; readonly isValid: boolean } | null,
): (key: Uint8Array) => boolean {
  return (key) => {
    if (asked && equalBytes(asked.key, key)) return asked.isValid;
    return verifier.verify(parsed.signature, sigStructure(parsed.signed), key);
  };
}

/**
 * Judges one message by itself: frame, version, network, meter and signature. The oracle verifies signatures of
 * messages here. `arrivedAtMs` is the real time of arrival. Only a registry state requested after the arrival settles a
 * verdict that depends on the registry [wire §9.2]. The topic is an address, not evidence, and is ignored.
 */
export function admit(
  message: Uint8Array,
  arrivedAtMs: number,
  networkId: Uint8Array,
  registry: Registry,
  verifier: Verifier,
): Admission {
  const result = parse(message);
  if ('rejected' in result) return result;
  return decide(result.parsed, arrivedAtMs, networkId, registry, signedBy(result.parsed, verifier, null));
}

/** Judges a parsed message by the current registry; see `admit`. */
export function decide(
  parsed: Parsed,
  arrivedAtMs: number,
  networkId: Uint8Array,
  registry: Registry,
  isSignedBy: (key: Uint8Array) => boolean,
): Admission {
  const { message, hash, payload, signed, meterId } = parsed;
  const reject = (verdict: Verdict): Admission => ({
    rejected: { verdict, hash, message, meterId, seq: payload.seq },
  });
  if (!equalBytes(payload.networkId, networkId)) return reject(refusedFor(Reason.wrongNetwork));
  const meter = registry.meter(meterId);
  if (!meter) return reject(refusedFor(Reason.unknownMeter));
  const admitted = (key: Uint8Array): Admission => ({ admitted: { meter, key, payload, signed, message, hash } });
  if (isSignedBy(meter.key)) return admitted(meter.key);
  // The stream judges what a rotated key says of later windows: such a message may have arrived before the oracle knew
  // the rotation.
  if (meter.previousKey && isSignedBy(meter.previousKey)) return admitted(meter.previousKey);
  // A rotation that this registry state does not show yet looks the same, so the verdict waits for a newer state.
  if (registry.asOf.fetchedAtMs <= arrivedAtMs) return reject(refusedFor(Reason.wrongKey, false));
  const others = registry.meters().filter((other) => other.owner === meter.owner && other.meterId !== meterId);
  const isMixedUp = others.slice(0, MIXED_UP_KEYS).some((other) => isSignedBy(other.key));
  return reject(refusedFor(isMixedUp ? Reason.wrongKey : Reason.badSignature));
}
