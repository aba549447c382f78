import { expect, test } from 'vitest';
import { closeBuses } from '../../src/wiring/readers.js';

test('whoever closes the buses waits for the last of them: a port that is still open cannot be opened again', async () => {
  const ends: (() => void)[] = [];
  const bus = () => ({ close: () => new Promise<void>((resolve) => void ends.push(resolve)) });
  let isClosed = false;
  const closed = closeBuses(
    new Map([
      ['a', bus()],
      ['b', bus()],
    ]),
  ).then(() => {
    isClosed = true;
  });
  expect(ends).toHaveLength(2);
  ends[0]?.();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  ends[1]?.();
  await closed;
  expect(isClosed).toBe(true);
});
