import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fromHex, sha256, toHex, useSha256 } from '../src/index.js';

const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const abc = [fromHex('61'), fromHex('6263')];

function native(parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

describe('a native SHA-256', () => {
  it('takes the place of the portable one when it is right', () => {
    let calls = 0;
    useSha256((parts) => {
      calls++;
      return native(parts);
    });
    const before = calls;
    expect(toHex(sha256(...abc))).toBe(ABC);
    expect(calls).toBe(before + 1);
  });

  it.each([
    ['that forgets all but the first part', (parts: readonly Uint8Array[]) => native(parts.slice(0, 1))],
    ['that is cut at 64 KiB', (parts: readonly Uint8Array[]) => native([Buffer.concat(parts).subarray(0, 65_535)])],
    ['of another function', (parts: readonly Uint8Array[]) => native([...parts, Uint8Array.of(0)])],
    ['that gives the same bytes twice', sharing()],
  ])('%s is refused, and nothing has changed', (_name, wrong) => {
    expect(() => useSha256(wrong)).toThrow('the native SHA-256 is wrong');
    expect(toHex(sha256(...abc))).toBe(ABC);
  });
});

/** Returns the same array each time, so that a kept hash would change with the next one. */
function sharing(): (parts: readonly Uint8Array[]) => Uint8Array {
  const room = new Uint8Array(32);
  return (parts) => {
    room.set(native(parts));
    return room;
  };
}
