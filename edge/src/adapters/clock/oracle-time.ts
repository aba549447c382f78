import { openTime, TIME_NONCE_BYTES, type Verifier } from '@gridtokenx/protocol';
import type { Randomness, RealTime } from '../../ports.js';

const DEADLINE_MS = 5_000;
const MOST_BYTES = 4_096;

/**
 * Asks an oracle for the time with a fresh nonce and returns by how many milliseconds, at most, this machine's clock
 * is wrong. Rejects when it cannot be reached, or answers with anything but its signature over this nonce.
 */
export async function askOracleTime(
  oracle: { url: string; key: Uint8Array },
  verifier: Verifier,
  real: RealTime,
  random: Randomness,
): Promise<number> {
  const nonce = random.bytes(TIME_NONCE_BYTES);
  const before = real.monotonicMs();
  const response = await fetch(new URL('/time', oracle.url), {
    method: 'POST',
    body: Buffer.from(nonce),
    headers: { 'content-type': 'application/octet-stream' },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const body = new Uint8Array(await response.arrayBuffer());
  const now = real.nowMs();
  const tripMs = real.monotonicMs() - before;
  if (body.length > MOST_BYTES) throw new Error('an answer that is no time');
  const said = openTime(body, oracle.key, nonce, verifier);
  // The answer was signed at some moment of the trip.
  return Math.ceil(Math.abs(now - tripMs / 2 - said) + tripMs / 2);
}
