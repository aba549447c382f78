import type { Duplex } from 'node:stream';
import { asWindow, MAX_U32, openTime, TIME_NONCE_BYTES, type Verifier, windowEndAtMs } from '@gridtokenx/protocol';
import { type Clock, type Random, sleep } from '@gridtokenx/runtime/core';
import { post } from '@gridtokenx/runtime/node';
import { type Anchor, agree, medianOf } from '../../domain/time/anchor.js';

const DEADLINE_MS = 5_000;
const MAX_BYTES = 4_096;
/** No window has a later time. */
const LATEST_MS = windowEndAtMs(asWindow(MAX_U32));
/** Wait for the other oracles after the first answer, ms. */
const OTHERS_MS = 1_000;

export interface OracleClock {
  readonly url: string;
  /** The oracle's public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Opens the connection where `url` is https. */
  readonly dial?: (() => Promise<Duplex>) | undefined;
}

/** The signed time has whole milliseconds, and so has a shown one. */
const ROUNDING_MS = 1;

/**
 * Asks an oracle for the time with a fresh nonce. Returns its statement: the oracle signed it at some moment of the
 * round trip. Rejects when the oracle cannot be reached, or answers with anything but its signature over this nonce.
 */
export async function askOracleTime(
  oracle: OracleClock,
  verifier: Verifier,
  clock: Pick<Clock, 'monotonicMs'>,
  random: Random,
): Promise<Anchor> {
  const nonce = random.bytes(TIME_NONCE_BYTES);
  const url = new URL('/time', oracle.url);
  if (url.protocol === 'https:' && !oracle.dial) throw new Error(`${oracle.url}: nothing opens TLS connections here`);
  const socket = oracle.dial && (await oracle.dial());
  const before = clock.monotonicMs();
  const contentType = 'application/octet-stream';
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const { status, body } = await post({ url, body: nonce, contentType, mostBytes: MAX_BYTES, signal, socket });
  if (status !== 200) throw new Error(`HTTP ${status}`);
  const halfMs = (clock.monotonicMs() - before) / 2;
  const timeMs = openTime(body, oracle.key, nonce, verifier);
  if (timeMs > LATEST_MS) throw new RangeError('a time after the last window');
  return { steadyAtMs: before + halfMs, timeMs, errorMs: halfMs + ROUNDING_MS };
}

/**
 * Asks all oracles at once. Resolves with the median of those that answered, when all have, or a second after the first
 * answer where most of them agree: one dead oracle of three delays no sign-in, and a fast liar gains nothing. Null
 * without an answer. Never rejects; `failed` learns of each failure.
 */
export async function askOracles(
  asks: readonly (() => Promise<Anchor>)[],
  clock: Pick<Clock, 'monotonicMs' | 'after'>,
  failed: (which: number, error: Error) => void,
): Promise<Anchor | null> {
  const answers: Anchor[] = [];
  let heard = () => {};
  const first = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const all = Promise.all(
    asks.map(async (ask, which) => {
      try {
        answers.push(await ask());
        heard();
      } catch (error) {
        failed(which, error as Error);
      }
    }),
  );
  await Promise.race([all, first.then(() => sleep(clock, OTHERS_MS))]);
  const isMajority = 2 * answers.length > asks.length;
  if (!isMajority || !allAgree(answers, clock.monotonicMs())) await all;
  return medianOf(answers, clock.monotonicMs());
}

function allAgree(answers: readonly Anchor[], steadyMs: number): boolean {
  return answers.every((one) => answers.every((other) => agree(one, other, steadyMs)));
}
