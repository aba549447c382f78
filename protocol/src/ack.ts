import { fromHex, toHex } from './bytes.js';
import { asSafe, asUint, CborFields, type CborMap, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import type { Signer, Verifier } from './keys.js';
import { isReason, Reason, WireError } from './reasons.js';
import { asWindow, MAX_U32, type Window } from './units.js';

/** An oracle's progress in one meter's messages. 0 = no message yet. */
export interface MeterWatermark {
  /** Every seq up to this one is either stored and committed, or declared as a gap. */
  readonly storedThrough: bigint;
  /** The highest seq of a verified message. */
  readonly highestSeen: bigint;
  /** The highest window of a verified statement. */
  readonly highestWindow: Window;
}

/** An oracle's statement of its stored messages for one gateway. */
export interface Ack {
  /** 16 bytes. A new value means that the ledger was lost or restored. */
  readonly ledgerId: Uint8Array;
  /** Real time in ms. An ack counts only when it is later than the last ack of its oracle. */
  readonly timeMs: number;
  /** The gateway's public key, 32 bytes. */
  readonly gateway: Uint8Array;
  /** By meter_id in lower-case hex. */
  readonly meters: ReadonlyMap<string, MeterWatermark>;
  /** First 16 bytes of SHA-256 of each finally refused message, with the reason; at most 200. */
  readonly refused: readonly { readonly hash: Uint8Array; readonly reason: Reason }[];
}

export const MAX_REFUSED = 200;
const KEYS = [1, 2, 3, 4, 5];

/** Returns the signed ack message [wire §7.3]. Throws `RangeError` for more than 200 refusals. */
export function signAck(ack: Ack, signer: Signer): Uint8Array {
  if (ack.refused.length > MAX_REFUSED) throw new RangeError(`${ack.refused.length} refusals, at most ${MAX_REFUSED}`);
  const meters: CborMap = new Map();
  for (const [id, mark] of ack.meters) {
    meters.set(fromHex(id), [mark.storedThrough, mark.highestSeen, mark.highestWindow]);
  }
  const content = new Map<number, CborValue>([
    [1, ack.ledgerId],
    [2, ack.timeMs],
    [3, ack.gateway],
    [4, meters],
    [5, ack.refused.map(({ hash, reason }) => [hash, reason])],
  ]);
  return signControl(Purpose.ack, content, signer);
}

/** Opens an ack signed by `oracle`. Throws `WireError`; the caller checks gateway and the order of `timeMs`. */
export function openAck(message: Uint8Array, oracle: Uint8Array, verifier: Verifier): Ack {
  const fields = new CborFields('ack', openControl(Purpose.ack, message, oracle, verifier), KEYS);
  const refused = fields.list(5);
  if (refused.length > MAX_REFUSED) throw new WireError(Reason.malformed, 'ack: more than 200 refusals');
  return {
    ledgerId: fields.bytes(1, 16),
    timeMs: fields.safe(2),
    gateway: fields.bytes(3, 32),
    meters: new Map(Array.from(fields.map(4), ([id, mark]) => readMark(id, mark))),
    refused: refused.map(readRefusal),
  };
}

function readMark(id: unknown, mark: CborValue): [string, MeterWatermark] {
  if (!(id instanceof Uint8Array) || id.length !== 16 || !Array.isArray(mark) || mark.length !== 3) {
    throw new WireError(Reason.malformed, 'ack: a meter is 16 bytes with three numbers');
  }
  return [
    toHex(id),
    {
      storedThrough: asUint('ack stored_through', mark[0]),
      highestSeen: asUint('ack highest_seen', mark[1]),
      highestWindow: readWindow(mark[2]),
    },
  ];
}

function readWindow(value: CborValue | undefined): Window {
  const window = asSafe('ack window', value);
  if (window > MAX_U32) throw new WireError(Reason.malformed, 'ack: a window above u32');
  return asWindow(window);
}

function readRefusal(entry: CborValue): { hash: Uint8Array; reason: Reason } {
  const [hash, reason] = Array.isArray(entry) && entry.length === 2 ? entry : [];
  if (!(hash instanceof Uint8Array) || hash.length !== 16 || typeof reason !== 'number' || !isReason(reason)) {
    throw new WireError(Reason.malformed, 'ack: a refusal is 16 bytes and a known reason');
  }
  return { hash, reason };
}
