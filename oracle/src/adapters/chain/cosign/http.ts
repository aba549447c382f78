import type { CosignAnswer, Peer } from '../../../ports.js';

/** A peer that has not answered by then is silent. */
const TIMEOUT_MS = 3_000;
/** 256 messages in hex, and some. */
const MOST_BYTES = 131_072;

/** Asks over HTTP. Rejects when the peer cannot be reached, is late, or answers what is no JSON of this length. */
export async function askOverHttp(peer: Peer, body: Uint8Array): Promise<CosignAnswer> {
  const response = await fetch(new URL('/cosign', peer.url), {
    method: 'POST',
    headers: { 'content-type': 'application/cose' },
    body: Buffer.from(body),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return { status: response.status, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
}
