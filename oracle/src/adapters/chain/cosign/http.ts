import { post } from '@gridtokenx/runtime';
import type { CosignAnswer } from '../../../domain/settlement/cosigning/ports.js';
import type { Peer } from './peer.js';

/** A peer that has not answered by then is silent. */
const TIMEOUT_MS = 3_000;
/** 256 messages in hex, and some. */
const MAX_BYTES = 131_072;

/**
 * Asks over HTTP, on the connection that the peer's `dial` opens where it is asked over TLS. Rejects when the peer cannot
 * be reached or believed, is late, or answers what is no JSON of this length; a redirection is no answer.
 */
export async function askOverHttp(peer: Peer, body: Uint8Array): Promise<CosignAnswer> {
  const url = new URL('/cosign', peer.url);
  if (url.protocol === 'https:' && !peer.dial) throw new Error(`${url.origin} is asked over TLS, and nothing dials it`);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const socket = await peer.dial?.();
  const answer = await post({ url, body, contentType: 'application/cose', mostBytes: MAX_BYTES, signal, socket });
  return { status: answer.status, body: JSON.parse(Buffer.from(answer.body).toString('utf8')) };
}
