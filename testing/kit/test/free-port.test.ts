import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../src/free-port.js';

test('ports are never given twice, lie below the range for outgoing connections, and skip what is taken', async () => {
  const first = await freePort();
  const taken = createServer().listen(first + 1, '127.0.0.1');
  await once(taken, 'listening');
  const ports = [first, await freePort(), await freePort()];
  taken.close();
  expect(new Set(ports).size).toBe(3);
  expect(ports).not.toContain(first + 1);
  for (const port of ports) expect(port).toBeLessThan(32_768);
});
