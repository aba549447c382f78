import {
  concatBytes,
  decodePayload,
  equalBytes,
  PAYLOAD_BYTES,
  type Payload,
  parseSign1,
  Reason,
  SIG_PREFIX,
  shortHash,
  toHex,
  type Verifier,
  WireError,
} from '@gridtokenx/protocol';
import type { MeterRecord, Registry } from '../ports.js';
import { refusedFor, type Verdict } from './verdict.js';

/** A message whose signature is that of a key registered for its meter. Order and registers are judged later. */
export interface Admitted {
  readonly meter: MeterRecord;
  /** The key that signed, 32 bytes: with the meter it names the stream. */
  readonly key: Uint8Array;
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  /** The 171 bytes. */
  readonly message: Uint8Array;
  /** First 16 bytes of SHA-256 of the message: its name in acks. */
  readonly hash: Uint8Array;
}

/** A message that belongs to no stream. `meterId` and `seq` are what it claims, where it could be read. */
export interface Rejected {
  readonly verdict: Verdict;
  readonly hash: Uint8Array;
  readonly message: Uint8Array;
  readonly meterId: string | null;
  readonly seq: bigint | null;
}

export type Admission = { readonly admitted: Admitted } | { readonly rejected: Rejected };

/** At most so many keys of other meters are tried to tell a mixed-up key from a forged signature. */
const MIXED_UP_KEYS = 8;

/** Where the signed bytes of the message at hand are put behind their constant start: nothing is kept here. */
const toVerify = concatBytes(SIG_PREFIX, new Uint8Array(PAYLOAD_BYTES));

/**
 * Judges one message by itself: frame, version, network, meter, and the signature (this is where the oracle verifies
 * signatures). `arrivedMs` is the real time of arrival: what depends on the registry is settled only against a state
 * that was asked for after it (wire format: Verdicts). The topic is an address, not evidence: it is not looked at.
 */
export function admit(
  message: Uint8Array,
  arrivedMs: number,
  networkId: Uint8Array,
  registry: Registry,
  verifier: Verifier,
): Admission {
  const hash = shortHash(message);
  let meterId: string | null = null;
  let seq: bigint | null = null;
  const reject = (verdict: Verdict): Admission => ({ rejected: { verdict, hash, message, meterId, seq } });
  let frame: ReturnType<typeof parseSign1>;
  let payload: Payload;
  try {
    frame = parseSign1(message);
    payload = decodePayload(frame.payload);
  } catch (error) {
    if (error instanceof WireError) return reject(refusedFor(error.reason));
    throw error;
  }
  meterId = toHex(payload.meterId);
  seq = payload.seq;
  if (!equalBytes(payload.networkId, networkId)) return reject(refusedFor(Reason.wrongNetwork));
  const meter = registry.meter(meterId);
  if (!meter) return reject(refusedFor(Reason.unknownMeter));
  toVerify.set(frame.payload, SIG_PREFIX.length);
  const signedBy = (key: Uint8Array) => verifier.verify(frame.signature, toVerify, key);
  const registryIsNewer = registry.asOf.fetchedAtMs > arrivedMs;
  const admitted = (key: Uint8Array): Admission => ({
    admitted: { meter, key, payload, signed: frame.payload, message, hash },
  });
  if (signedBy(meter.key)) return admitted(meter.key);
  // What a rotated key says of later windows is judged in its stream: it may have come before the rotation was known.
  if (meter.previousKey && signedBy(meter.previousKey)) return admitted(meter.previousKey);
  // A rotation that this registry state does not show yet would look the same, so the verdict waits for a newer state.
  if (!registryIsNewer) return reject(refusedFor(Reason.wrongKey, false));
  const others = registry.meters().filter((other) => other.owner === meter.owner && other.meterId !== meterId);
  const isMixedUp = others.slice(0, MIXED_UP_KEYS).some((other) => signedBy(other.key));
  return reject(refusedFor(isMixedUp ? Reason.wrongKey : Reason.badSignature));
}
