import { type Request, rtuFrame } from '../modbus-frames.js';
import type { Chance } from './chance.js';
import { type Delivery, damaged, truncated } from './faults.js';

/** Bytes for the master, and whether the connection ends behind them. */
export interface Carried {
  readonly bytes: Uint8Array;
  readonly ends: boolean;
}

/** Puts what meters say on what leads to the master. Null: nothing of it arrives. */
export type Carrier = (delivery: Delivery, chance: Chance) => Carried | null;

/** RTU frames on a line, or raw over a network. */
export const rtuCarrier: Carrier = ({ parts, damage }, chance) => {
  const frames = parts.map(({ unit, pdu }) => rtuFrame(unit, pdu));
  const last = frames.at(-1);
  if (last && damage) frames[frames.length - 1] = (damage === 'corrupt' ? damaged : truncated)(last, chance);
  return { bytes: join(frames), ends: false };
};

/**
 * Modbus TCP of a meter of its own: an answer carries the transaction of its request, however late. TCP lets no damage
 * through, so a corrupted answer does not come, and a truncated one is a connection that ends in the middle of it.
 */
export const tcpCarrier: Carrier = ({ parts, damage }, chance) => {
  if (damage === 'corrupt') return null;
  const bytes = join(parts.map(({ unit, pdu, wrap }) => wrap(pdu, unit)));
  return damage ? { bytes: truncated(bytes, chance), ends: true } : { bytes, ends: false };
};

/**
 * A converter with serial meters behind it that puts whatever comes from the line under the transaction of the newest
 * request that has no answer yet: a late answer gets another's transaction. It drops what is damaged, and what comes when
 * nothing is asked. `newest`: that request.
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
