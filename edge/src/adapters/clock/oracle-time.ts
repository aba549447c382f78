import { request } from 'node:http';
import { openTime, TIME_NONCE_BYTES, type Verifier } from '@gridtokenx/protocol';
import type { Randomness, RealTime, SecureDial } from '../../ports.js';

const DEADLINE_MS = 5_000;
const MOST_BYTES = 4_096;

export interface OracleClock {
  readonly url: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Opens the connection where `url` is https. */
  readonly dial?: SecureDial | undefined;
}

/**
 * Asks an oracle for the time with a fresh nonce and returns by how many milliseconds, at most, this machine's clock
 * is wrong. Rejects when it cannot be reached, or answers with anything but its signature over this nonce.
 */
export async function askOracleTime(
  oracle: OracleClock,
  verifier: Verifier,
  real: RealTime,
  random: Randomness,
): Promise<number> {
  const nonce = random.bytes(TIME_NONCE_BYTES);
  const url = new URL('/time', oracle.url);
  if (url.protocol === 'https:' && !oracle.dial) throw new Error(`${oracle.url}: nothing opens TLS connections here`);
  const socket = oracle.dial && (await oracle.dial());
  const before = real.monotonicMs();
  const body = await post(url, nonce, socket);
  const now = real.nowMs();
  const tripMs = real.monotonicMs() - before;
  const said = openTime(body, oracle.key, nonce, verifier);
  // The answer was signed at some moment of the trip.
  return Math.ceil(Math.abs(now - tripMs / 2 - said) + tripMs / 2);
}

/** The body of the answer to a POST, over `socket` where one is given. */
function post(url: URL, body: Uint8Array, socket: Awaited<ReturnType<SecureDial>> | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || 80,
      path: url.pathname,
      method: 'POST',
      headers: { host: url.host, 'content-type': 'application/octet-stream', 'content-length': body.length },
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...(socket ? { createConnection: () => socket } : { agent: false as const }),
    });
    const fail = (error: Error) => {
      socket?.destroy();
      reject(error);
    };
    sent.on('error', fail);
    sent.on('response', (response) => {
      if (response.statusCode !== 200) {
        sent.destroy();
        fail(new Error(`HTTP ${response.statusCode}`));
        return;
      }
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > MOST_BYTES) sent.destroy(new Error('an answer that is no time'));
        else parts.push(part);
      });
      response.on('error', fail);
      response.on('end', () => {
        socket?.destroy();
        resolve(new Uint8Array(Buffer.concat(parts)));
      });
    });
    sent.end(body);
  });
}
