import { crc32 } from 'node:zlib';

/** A meter's reply as it stood on the line, with its request. */
export interface KeptFrame {
  /** Instant of its last byte: the machine's clock, ms since 1970, UTC. */
  readonly timeMs: number;
  readonly bus: string;
  readonly unit: number;
  readonly function: number;
  /** Address of the first register, from 0. */
  readonly address: number;
  readonly frame: Uint8Array;
}

const LINE = /^(\S+) ([A-Za-z0-9._-]+) (\d{1,3}) (\d{1,3})@(\d{1,5}) ([0-9a-f]+) ([0-9a-f]{8})$/;

const checkOf = (text: string) => crc32(text).toString(16).padStart(8, '0');

/** Encodes a frame as one line of text: time, bus, unit, function@address, bytes, CRC-32 of all that [gateway §5.1]. */
export function lineOf({ timeMs, bus, unit, function: fn, address, frame }: KeptFrame): string {
  const hex = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString('hex');
  const text = `${new Date(timeMs).toISOString()} ${bus} ${unit} ${fn}@${address} ${hex}`;
  return `${text} ${checkOf(text)}\n`;
}

/** Parses the frames of a file's text, in its order; counts torn and damaged lines and omits them. */
export function framesOf(text: string): { frames: KeptFrame[]; damaged: number } {
  const frames: KeptFrame[] = [];
  let damaged = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const frame = frameOf(line);
    if (frame) frames.push(frame);
    else damaged++;
  }
  return { frames, damaged };
}

function frameOf(line: string): KeptFrame | null {
  const found = LINE.exec(line);
  if (!found) return null;
  const [, time = '', bus = '', unit, fn, address, hex = '', check] = found;
  if (checkOf(line.slice(0, -9)) !== check) return null;
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs)) return null;
  const frame = new Uint8Array(Buffer.from(hex, 'hex'));
  return { timeMs, bus, unit: Number(unit), function: Number(fn), address: Number(address), frame };
}
