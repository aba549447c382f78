import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { FrameMeter } from '../../src/core/index.js';

/** A packet with so many bytes after its fixed header. */
function generateRaw(first: number, length: number): Buffer {
  const head = length < 128 ? [first, length] : [first, (length & 127) | 128, length >> 7];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length)]);
}
const allOf = (bytes: number) => ({ publish: bytes, first: bytes, control: bytes });

describe('frame meter', () => {
  const packet = fc.oneof(
    fc.constant(generate({ cmd: 'pingreq' })),
    fc
      .nat({ max: 3000 })
      .map((n) =>
        generate({ cmd: 'publish', topic: 't', payload: Buffer.alloc(n, 0xff), qos: 0, retain: false, dup: false }),
      ),
  );

  it('counts packets however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(packet, { minLength: 1, maxLength: 8 }), fc.array(fc.nat({ max: 999 })), (packets, cuts) => {
        const stream = Buffer.concat(packets);
        const meter = new FrameMeter(allOf(65_536));
        let [counted, at] = [0, 0];
        for (const cut of [...cuts, stream.length]) {
          const end = Math.min(stream.length, at + cut);
          counted += meter.feed(stream.subarray(at, end)) ?? Number.NaN;
          at = end;
        }
        expect(counted).toBe(packets.length);
      }),
    );
  });

  it.each([
    ['the limit', [0x30, 0xfd, 0xff, 0x03], 65_537 + 0, null],
    ['one less', [0x30, 0xfc, 0xff, 0x03], 65_536, 1],
  ])('judges an announced length by the whole packet: %s', (_name, header, _bytes, expected) => {
    // 0xFD 0xFF 0x03 = 65,533, with 4 bytes of header 65,537.
    expect(new FrameMeter(allOf(65_536)).feed(Uint8Array.from(header))).toBe(expected);
  });

  it('refuses a length of five bytes', () => {
    expect(new FrameMeter(allOf(2 ** 40)).feed(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x01))).toBe(null);
  });

  it('has a limit for the first packet, one for messages, and one for all others', () => {
    const meter = () => new FrameMeter({ publish: 1_000, first: 200, control: 100 });
    const packet = (first: number, bytes: number) => generateRaw(first, bytes - (bytes - 2 < 128 ? 2 : 3));
    const connect = packet(0x10, 200);
    expect(meter().feed(connect)).toBe(1);
    expect(meter().feed(packet(0x10, 201))).toBe(null);
    for (const [first, limit] of [
      [0x30, 1_000],
      [0x3d, 1_000],
      [0x82, 100],
      [0xa2, 100],
      [0x40, 100],
      [0xf0, 100],
    ] as const) {
      expect(meter().feed(Buffer.concat([connect, packet(first, limit)]))).toBe(2);
      expect(meter().feed(Buffer.concat([connect, packet(first, limit + 1)]))).toBe(null);
    }
  });
});
