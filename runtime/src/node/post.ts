import { request } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Posted {
  readonly url: URL;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** A longer answer is none. */
  readonly mostBytes: number;
  /** When to give up. */
  readonly signal: AbortSignal;
  /** The connection to ask on, where `url` is https: opened and judged before a byte of the request is on it. */
  readonly socket?: Duplex | undefined;
}

/**
 * Posts a body and takes a short answer, on a connection of its own that is closed afterwards. Redirections are not
 * followed. Rejects when the other side cannot be reached, is late, or answers more than `mostBytes`.
 */
export function post({ url, body, contentType, mostBytes, signal, socket }: Posted) {
  return new Promise<{ status: number; body: Uint8Array }>((resolve, reject) => {
    const end = (settle: () => void) => {
      socket?.destroy();
      settle();
    };
    const sent = request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || 80,
      path: url.pathname,
      method: 'POST',
      headers: { host: url.host, 'content-type': contentType },
      signal,
      ...(socket ? { createConnection: () => socket } : { agent: false as const }),
    });
    sent.on('error', (error) => end(() => reject(error)));
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        parts.push(part);
        if (length <= mostBytes) return;
        end(() => reject(new Error(`an answer of more than ${mostBytes} bytes`)));
        sent.destroy();
      });
      response.on('error', (error) => end(() => reject(error)));
      response.on('end', () =>
        end(() => resolve({ status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(parts)) })),
      );
    });
    sent.end(body);
  });
}
