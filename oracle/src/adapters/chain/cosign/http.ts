import { type ClientRequestArgs, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CosignAnswer, Peer } from '../../../ports.js';

/** A peer that has not answered by then is silent. */
const TIMEOUT_MS = 3_000;
/** 256 messages in hex, and some. */
const MOST_BYTES = 131_072;

/**
 * Asks over HTTP, on the connection that the peer's `dial` opens where it is asked over TLS. Rejects when the peer cannot
 * be reached or believed, is late, or answers what is no JSON of this length; a redirection is no answer.
 */
export async function askOverHttp(peer: Peer, body: Uint8Array): Promise<CosignAnswer> {
  const url = new URL('/cosign', peer.url);
  if (url.protocol === 'https:' && !peer.dial) throw new Error(`${url.origin} is asked over TLS, and nothing dials it`);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await ask(url, body, signal, peer.dial);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
}

function ask(url: URL, body: Uint8Array, signal: AbortSignal, dial: Peer['dial']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: ClientRequestArgs = {
      method: 'POST',
      headers: { 'content-type': 'application/cose', 'content-length': body.length, connection: 'close' },
      signal,
    };
    // The connection is judged before a byte of the request is on it; HTTP is spoken on what `dial` gives.
    if (dial) {
      options.protocol = 'http:';
      options.createConnection = (_, made) => {
        dial().then(
          (socket: Duplex) => {
            if (signal.aborted) socket.destroy();
            made(null, socket);
          },
          made as (error: unknown) => void,
        );
        return undefined;
      };
    }
    const { hostname, port, pathname } = url;
    httpRequest({ ...options, host: hostname.replace(/^\[|\]$/g, ''), port, path: pathname }, resolve)
      .on('error', reject)
      .end(body);
  });
}
