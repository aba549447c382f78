/** Decodes Modbus TCP messages of whole packets, as a server does. */
export function fromMbap(bytes: Buffer): { transaction: number; unit: number; pdu: Buffer }[] {
  const messages = [];
  for (let at = 0; at + 7 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 4);
    const pdu = bytes.subarray(at + 7, at + 6 + length);
    messages.push({ transaction: bytes.readUInt16BE(at), unit: bytes[at + 6] ?? 0, pdu });
    at += 6 + length;
  }
  return messages;
}

export function toMbap(transaction: number, unit: number, pdu: readonly number[]): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt16BE(transaction, 0);
  head.writeUInt16BE(pdu.length + 1, 4);
  head[6] = unit;
  return Buffer.concat([head, Buffer.from(pdu)]);
}
