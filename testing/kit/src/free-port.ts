import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Lies below the range from which the kernel assigns ports to outgoing connections and to `listen(0)`. So no other test
 * takes a port from here while a service is down between a kill and its next start.
 */
const FIRST = 20_000;
const COUNT = 12_000;
/** Test files run in separate processes with neighbouring numbers: each has a range of this many ports. */
const STRETCH = 37;

let next = (process.pid * STRETCH) % COUNT;

/** Returns a loopback TCP port on which nothing listens now and which this process was not given before. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < COUNT; tried++) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${FIRST + COUNT - 1}`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
