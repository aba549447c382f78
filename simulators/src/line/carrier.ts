import { type Request, rtuFrame } from '../modbus-frames.js';
import type { Chance } from './chance.js';
import { type Delivery, damaged, truncated } from './faults.js';

/** Bytes for the master; `ends` is true when the connection ends after them. */
export interface Carried {
  readonly bytes: Uint8Array;
  readonly ends: boolean;
}

/** Encodes the meters' answers for the connection to the master. Null: nothing of the delivery arrives. */
export type Carrier = (delivery: Delivery, chance: Chance) => Carried | null;

/** Carries RTU frames on a line, or raw over a network. */
export const rtuCarrier: Carrier = ({ parts, damage }, chance) => {
  const frames = parts.map(({ unit, pdu }) => rtuFrame(unit, pdu));
  const last = frames.at(-1);
  if (last && damage) frames[frames.length - 1] = (damage === 'corrupt' ? damaged : truncated)(last, chance);
  return { bytes: join(frames), ends: false };
};

/**
 * Carries Modbus TCP of a meter with its own connection: an answer has the transaction of its request, however late.
 * TCP lets no damage through, so a corrupted answer does not arrive. A truncated answer is a connection that ends in
 * the middle of it.
 */
export const tcpCarrier: Carrier = ({ parts, damage }, chance) => {
  if (damage === 'corrupt') return null;
  const bytes = join(parts.map(({ unit, pdu, wrap }) => wrap(pdu, unit)));
  return damage ? { bytes: truncated(bytes, chance), ends: true } : { bytes, ends: false };
};

/**
 * Carries for a converter with serial meters behind it. It sends whatever the line brings under the transaction of the
 * newest open request: a late answer gets another's transaction. It drops damaged frames, and frames without an open
 * request. `newest`: that request.
 */
export const converterCarrier =
  (newest: () => Request | null, settle: () => void): Carrier =>
  ({ parts, damage }) => {
    const frames: Uint8Array[] = [];
    for (const [i, { unit, pdu }] of parts.entries()) {
      const request = newest();
      if (!request || (damage && i === parts.length - 1)) continue;
      frames.push(request.wrap(pdu, unit));
      settle();
    }
    return frames.length === 0 ? null : { bytes: join(frames), ends: false };
  };

export function join(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return pieces.length === 1 && first ? first : Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}
