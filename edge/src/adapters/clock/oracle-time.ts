import type { Duplex } from 'node:stream';
import { openTime, TIME_NONCE_BYTES, type Verifier } from '@gridtokenx/protocol';
import type { Clock, Random } from '@gridtokenx/runtime/core';
import { post } from '@gridtokenx/runtime/node';

const DEADLINE_MS = 5_000;
const MAX_BYTES = 4_096;

export interface OracleClock {
  readonly url: string;
  /** The oracle's public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Opens the connection where `url` is https. */
  readonly dial?: (() => Promise<Duplex>) | undefined;
}

/**
 * Asks an oracle for the time with a fresh nonce. Returns the upper bound of this machine's clock error, ms. Rejects
 * when the oracle cannot be reached, or answers with anything but its signature over this nonce.
 */
export async function askOracleTime(
  oracle: OracleClock,
  verifier: Verifier,
  clock: Clock,
  random: Random,
): Promise<number> {
  const nonce = random.bytes(TIME_NONCE_BYTES);
  const url = new URL('/time', oracle.url);
  if (url.protocol === 'https:' && !oracle.dial) throw new Error(`${oracle.url}: nothing opens TLS connections here`);
  const socket = oracle.dial && (await oracle.dial());
  const before = clock.monotonicMs();
  const contentType = 'application/octet-stream';
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const { status, body } = await post({ url, body: nonce, contentType, mostBytes: MAX_BYTES, signal, socket });
  if (status !== 200) throw new Error(`HTTP ${status}`);
  const now = clock.nowMs();
  const tripMs = clock.monotonicMs() - before;
  const said = openTime(body, oracle.key, nonce, verifier);
  // The oracle signed the answer at some moment of the round trip.
  return Math.ceil(Math.abs(now - tripMs / 2 - said) + tripMs / 2);
}
