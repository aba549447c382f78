import { crc32 } from 'node:zlib';

/** Version of the spool's side files; a file of another version is made again. */
export const SIDE_VERSION = 2;
const HEAD = /^GTX(\d+) ([0-9a-f]{8})\n/;

/** Encodes a side file: "GTX2", the CRC-32 of the text, a line feed, the text [gateway §4.5]. */
export function sealText(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`GTX${SIDE_VERSION} ${hex(crc32(bytes))}\n`), bytes]);
}

/** Returns the text of a side file; null when it is damaged, absent, or of another version. */
export function unsealText(file: Uint8Array | null): string | null {
  if (!file) return null;
  const whole = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const head = HEAD.exec(whole.subarray(0, 32).toString('latin1'));
  if (!head || Number(head[1]) !== SIDE_VERSION) return null;
  const text = whole.subarray(head[0].length);
  return hex(crc32(text)) === head[2] ? text.toString('utf8') : null;
}

const hex = (value: number) => value.toString(16).padStart(8, '0');
