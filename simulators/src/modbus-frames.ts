/** Modbus exception codes that a simulated meter answers with (Modbus application protocol 1.1b3, section 7). */
export const ModbusException = { illegalFunction: 1, illegalAddress: 2, illegalValue: 3 } as const;
export type ModbusException = (typeof ModbusException)[keyof typeof ModbusException];

/** The registers of one unit, which answer requests. */
export interface ModbusUnit {
  /** Returns `count` registers from `address` on (function 3 or 4), or the exception to answer with. */
  read(functionCode: 3 | 4, address: number, count: number): Uint16Array | ModbusException;
}

/** Computes CRC-16/MODBUS: polynomial 0xA001 reflected, start 0xFFFF; sent low byte first. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

/** Encodes an RTU frame: unit, PDU and CRC. */
export function rtuFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const frame = new Uint8Array(pdu.length + 3);
  frame[0] = unit;
  frame.set(pdu, 1);
  const crc = crc16(frame.subarray(0, -2));
  frame[frame.length - 2] = crc & 0xff;
  frame[frame.length - 1] = crc >>> 8;
  return frame;
}

/** Returns the PDU that answers a request's PDU. */
export function answerPdu(unit: ModbusUnit, pdu: Uint8Array): Uint8Array {
  const functionCode = pdu[0] ?? 0;
  const refuse = (exception: ModbusException) => Uint8Array.of(functionCode | 0x80, exception);
  if (functionCode !== 3 && functionCode !== 4) return refuse(ModbusException.illegalFunction);
  if (pdu.length !== 5) return refuse(ModbusException.illegalValue);
  const view = new DataView(pdu.buffer, pdu.byteOffset, pdu.byteLength);
  const count = view.getUint16(3);
  if (count < 1 || count > 125) return refuse(ModbusException.illegalValue);
  const registers = unit.read(functionCode, view.getUint16(1), count);
  if (typeof registers === 'number') return refuse(registers);
  const reply = new Uint8Array(2 + 2 * registers.length);
  reply[0] = functionCode;
  reply[1] = 2 * registers.length;
  const out = new DataView(reply.buffer);
  for (const [i, register] of registers.entries()) out.setUint16(2 + 2 * i, register);
  return reply;
}

/** A request that a framer found in a stream, and how to wrap its answer. */
export interface Request {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Wraps an answer as the request was wrapped; default unit: the request's. */
  readonly wrap: (pdu: Uint8Array, unit?: number) => Uint8Array;
}

/** Finds requests in a byte stream that may be split anywhere. Null demands that the connection closes. */
export interface Framer {
  push(bytes: Uint8Array): Request[] | null;
  /** Ends a frame after a silence: the remaining bytes are one frame or noise. */
  silence(): Request[];
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Frames Modbus TCP: the MBAP header (transaction, protocol 0, length, unit) before each PDU. */
export function mbapFramer(): Framer {
  let rest: Uint8Array = new Uint8Array(0);
  return {
    silence: () => [],
    push(bytes) {
      rest = join(rest, bytes);
      const requests: Request[] = [];
      while (rest.length >= 7) {
        const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
        const length = view.getUint16(4);
        if (view.getUint16(2) !== 0 || length < 2 || length > 254) return null;
        if (rest.length < 6 + length) break;
        const head = rest.slice(0, 4);
        const unit = rest[6] ?? 0;
        requests.push({ unit, pdu: rest.slice(7, 6 + length), wrap: (pdu, as = unit) => mbapFrame(head, as, pdu) });
        rest = rest.slice(6 + length);
      }
      return requests;
    },
  };
}

function mbapFrame(head: Uint8Array, unit: number, pdu: Uint8Array): Uint8Array {
  const frame = new Uint8Array(7 + pdu.length);
  frame.set(head);
  new DataView(frame.buffer).setUint16(4, pdu.length + 1);
  frame[6] = unit;
  frame.set(pdu, 7);
  return frame;
}

/** Frames RTU: length by function code, CRC at the end. Drops, after a silence, bytes that are no frame. */
export function rtuFramer(): Framer {
  let rest: Uint8Array = new Uint8Array(0);
  const take = (length: number): Request | null => {
    const frame = rest.slice(0, length);
    const crc = (frame[length - 2] ?? 0) | ((frame[length - 1] ?? 0) << 8);
    if (length < 4 || crc16(frame.subarray(0, -2)) !== crc) return null;
    rest = rest.slice(length);
    const unit = frame[0] ?? 0;
    return { unit, pdu: frame.slice(1, -2), wrap: (pdu, as = unit) => rtuFrame(as, pdu) };
  };
  return {
    push(bytes) {
      rest = join(rest, bytes);
      const requests: Request[] = [];
      while (rest.length >= 8 && (rest[1] ?? 0) >= 1 && (rest[1] ?? 0) <= 6) {
        const request = take(8);
        if (!request) break;
        requests.push(request);
      }
      return requests;
    },
    silence() {
      const request = take(rest.length);
      rest = new Uint8Array(0);
      return request ? [request] : [];
    },
  };
}
