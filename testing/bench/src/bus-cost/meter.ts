import { openLinuxPty, rtuFrame } from '@gridtokenx/simulators';

/**
 * Simulates a meter on a pty at 9,600 baud in its own process. It answers every request after 20 ms, and paces each
 * character. It sends the device's path to its parent. It does nothing else between two characters, so it is exact to
 * some hundredths of a millisecond.
 */
const CHAR_MS = 10_000 / 9_600;
const TURNAROUND_MS = 20;
const REQUEST = 8;

const never = new Int32Array(new SharedArrayBuffer(4));

function waitUntil(timeMs: number): void {
  for (let left = timeMs - performance.now(); left > 0; left = timeMs - performance.now())
    Atomics.wait(never, 0, 0, left);
}

const pty = openLinuxPty();
let input: Buffer = Buffer.alloc(0);
pty.onBytes((bytes) => {
  input = Buffer.concat([input, bytes]);
  if (input.length < REQUEST) return;
  const [unit = 0, fn = 0] = input;
  const length = 2 * input.readUInt16BE(4);
  input = Buffer.alloc(0);
  const data = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
  const answer = rtuFrame(unit, Uint8Array.of(fn, length, ...data));
  const beganAtMs = performance.now() + REQUEST * CHAR_MS + TURNAROUND_MS;
  for (const [i, byte] of answer.entries()) {
    waitUntil(beganAtMs + (i + 1) * CHAR_MS);
    pty.write(Uint8Array.of(byte));
  }
});
process.on('disconnect', () => process.exit());
process.send?.(pty.path);
