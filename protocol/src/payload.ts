import { type Enrolment, readEnrolment, writeEnrolment } from './payload/enrolment.js';
import { type MeterEvent, readEvent, writeEvent } from './payload/event.js';
import { Fields, fixed, u64 } from './payload/fields.js';
import { Kind, type ToEncode } from './payload/header.js';
import { type MoreValues, readMoreValues, writeMoreValues } from './payload/more-values.js';
import { type Reading, readReading, writeReading } from './payload/reading.js';
import { readStatement, type Statement, writeStatement } from './payload/statement.js';
import { Reason, WireError } from './reasons.js';

export { type Enrolment, Role, Source } from './payload/enrolment.js';
export { EventCode, GapReason, type MeterEvent } from './payload/event.js';
export { Kind, type PayloadHeader, type ToEncode } from './payload/header.js';
export { type CodedValue, MAX_VALUES, type MoreValues, ValueCode } from './payload/more-values.js';
export type { Reading } from './payload/reading.js';
export type { Statement } from './payload/statement.js';

/** Length of every payload in bytes. */
export const PAYLOAD_BYTES = 96;
export const PAYLOAD_VERSION = 1;
const MAGIC_0 = 0x47;
const MAGIC_1 = 0x58;

export type Payload = Reading | Statement | MeterEvent | Enrolment | MoreValues;
/** A `Payload`, or a payload whose window and registers the encoder has still to check. */
export type PayloadToEncode = ToEncode<Reading> | ToEncode<Statement> | MeterEvent | ToEncode<Enrolment> | MoreValues;

/**
 * Returns the 96 bytes of a payload, little-endian [wire §4]. Throws `RangeError` naming the field that does not fit its type.
 */
export function encodePayload(payload: PayloadToEncode): Uint8Array {
  const fields = new Fields(new Uint8Array(PAYLOAD_BYTES));
  const { bytes, view } = fields;
  bytes[0] = MAGIC_0;
  bytes[1] = MAGIC_1;
  bytes[2] = PAYLOAD_VERSION;
  bytes[3] = payload.kind;
  bytes.set(fixed('networkId', payload.networkId, 8), 4);
  bytes.set(fixed('meterId', payload.meterId, 16), 12);
  view.setBigUint64(28, u64('seq', payload.seq), true);
  switch (payload.kind) {
    case Kind.reading:
      writeReading(fields, payload);
      break;
    case Kind.statement:
      writeStatement(fields, payload);
      break;
    case Kind.event:
      writeEvent(fields, payload);
      break;
    case Kind.enrolment:
      writeEnrolment(fields, payload);
      break;
    case Kind.moreValues:
      writeMoreValues(fields, payload);
      break;
  }
  return bytes;
}

/**
 * Returns the payload in 96 bytes [wire §4]. Throws `WireError`: *malformed* for a wrong length, magic or a value outside its
 * range, *unknown version* for another version or kind. Its result encodes to the same bytes again.
 */
export function decodePayload(bytes: Uint8Array): Payload {
  if (bytes.length !== PAYLOAD_BYTES) {
    throw new WireError(Reason.malformed, `payload of ${bytes.length} bytes, expected ${PAYLOAD_BYTES}`);
  }
  if (bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) throw new WireError(Reason.malformed, 'payload without the magic');
  if (bytes[2] !== PAYLOAD_VERSION) throw new WireError(Reason.unknownVersion, `payload version ${bytes[2]}`);
  const fields = new Fields(bytes);
  const seq = fields.view.getBigUint64(28, true);
  if (seq === 0n) throw new WireError(Reason.malformed, 'seq 0: the first is 1');
  const header = { networkId: fields.slice(4, 8), meterId: fields.slice(12, 16), seq };
  switch (bytes[3]) {
    case Kind.reading:
      return readReading(fields, header);
    case Kind.statement:
      return readStatement(fields, header);
    case Kind.event:
      return readEvent(fields, header);
    case Kind.enrolment:
      return readEnrolment(fields, header);
    case Kind.moreValues:
      return readMoreValues(fields, header);
    default:
      throw new WireError(Reason.unknownVersion, `payload kind ${bytes[3]}`);
  }
}
