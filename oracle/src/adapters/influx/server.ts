import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Clock } from '@gridtokenx/runtime/core';
import { HttpError, InfluxDB } from '@influxdata/influxdb-client';
import { SeriesSetupRefused, SeriesUnavailable } from './errors.js';

export interface ServerOptions {
  /** `http(s)://host:port`, with a path when a proxy adds one. */
  readonly url: string;
  readonly org: string;
  readonly bucket: string;
  /** Called before each request; the result is never stored and never logged. */
  readonly token: () => string;
  readonly clock: Clock;
}

/** The server's answer to a write of lines. Every other answer is an error. */
export type WriteAnswer =
  | { readonly kind: 'stored' }
  /** At least `dropped` of the lines are not stored; others may or may not be stored. */
  | { readonly kind: 'refused'; readonly dropped: number; readonly reason: string }
  | { readonly kind: 'too large' };

export type Row = (column: string) => string | undefined;

/** Cancels a request after so many real ms, even while an answer still arrives. */
const DEADLINE_MS = 30_000;
const LONGEST_REASON = 300;
const GZIP_FROM_BYTES = 1_400;

/**
 * Sends one request at a time to an InfluxDB 2 server. Only 204 counts as stored. The client's `WriteApi` is not used:
 * it counts 201 (some lines stored) as success and reads Retry-After as milliseconds. It also does not cancel a request
 * that timed out. The client's transport has none of these faults.
 */
export class InfluxServer {
  readonly #options: ServerOptions;
  readonly #agent;
  readonly #inFlight = new Set<AbortController>();
  #isClosed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    const settings = { keepAlive: true };
    this.#agent = options.url.startsWith('https:') ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Sends lines; throws `SeriesUnavailable` or `SeriesSetupRefused`. */
  async write(lines: string): Promise<WriteAnswer> {
    const { org, bucket } = this.#options;
    const path = `/api/v2/write?org=${encodeURIComponent(org)}&bucket=${encodeURIComponent(bucket)}&precision=ms`;
    let status: number | undefined;
    try {
      await this.#ask((influx, headers) =>
        influx.transport.request(
          path,
          lines,
          {
            method: 'POST',
            headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
            gzipThreshold: GZIP_FROM_BYTES,
          },
          (_, code) => {
            status = code;
          },
        ),
      );
    } catch (error) {
      const answer = error instanceof HttpError ? aboutTheLines(error) : null;
      if (!answer) throw this.#explained(error);
      return 'reason' in answer ? { ...answer, reason: this.#safe(answer.reason) } : answer;
    }
    if (status === 204) return { kind: 'stored' };
    throw new SeriesUnavailable(`the server answered ${status} to a write, where only 204 says "stored"`);
  }

  /**
   * Returns the rows of a Flux query, in the order of the answer. Throws `SeriesUnavailable` or `SeriesSetupRefused`.
   */
  async query<T>(flux: string, take: (row: Row) => T): Promise<T[]> {
    try {
      return await this.#ask((influx, headers) =>
        influx.getQueryApi({ org: this.#options.org, headers }).collectRows(flux, (values, table) =>
          take((label) => {
            const column = table.column(label, false);
            return column ? (values[column.index] ?? '') : undefined;
          }),
        ),
      );
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** Cancels the request in flight; its outcome is unknown. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#inFlight) request.abort();
    this.#agent.destroy();
  }

  async #ask<T>(request: (influx: InfluxDB, headers: Record<string, string>) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new SeriesUnavailable('the time series is closed');
    const headers = { authorization: `Token ${this.#token()}` };
    const controller = new AbortController();
    const cancel = this.#options.clock.after(DEADLINE_MS, () => controller.abort());
    this.#inFlight.add(controller);
    try {
      const transportOptions = { agent: this.#agent, signal: controller.signal };
      return await request(new InfluxDB({ url: this.#options.url, timeout: DEADLINE_MS, transportOptions }), headers);
    } catch (error) {
      if (controller.signal.aborted) {
        throw new SeriesUnavailable(
          this.#isClosed ? 'cancelled: the time series closes' : `no answer within ${DEADLINE_MS} ms`,
        );
      }
      throw error;
    } finally {
      cancel();
      this.#inFlight.delete(controller);
    }
  }

  #token(): string {
    try {
      return this.#options.token();
    } catch (error) {
      throw new SeriesSetupRefused((error as Error).message);
    }
  }

  /** The client's errors carry headers and bodies, which would reach the log. Only their words are kept. */
  #explained(error: unknown): Error {
    if (error instanceof SeriesUnavailable || error instanceof SeriesSetupRefused) return error;
    if (!(error instanceof HttpError)) {
      const { code, message } = error as NodeJS.ErrnoException;
      return new SeriesUnavailable(this.#safe(message || code || 'no answer'));
    }
    const { statusCode, headers, message } = error;
    const text = this.#safe(`the server answered ${statusCode}: ${message}`);
    const isPassing = statusCode === 408 || statusCode === 425 || statusCode === 429 || statusCode >= 500;
    if (!isPassing) return new SeriesSetupRefused(text);
    return new SeriesUnavailable(text, retryAfterMs(headers?.['retry-after'], this.#options.clock.nowMs()));
  }

  /** A server or a proxy may repeat the request in its error, so the token is masked. */
  #safe(text: string): string {
    let token = '';
    try {
      token = this.#options.token();
    } catch {
      // Without a token there is nothing to mask.
    }
    return (token === '' ? text : text.replaceAll(token, '***')).slice(0, LONGEST_REASON);
  }
}

/** Returns the error's answer about the lines themselves; null when the error has another cause. */
function aboutTheLines({ statusCode, message }: HttpError): WriteAnswer | null {
  if (statusCode === 413) return { kind: 'too large' };
  // 422: a type conflict, or a point older than the bucket's retention. A 400 for a line that does not parse stores
  // nothing at all. Any other 400 is about the request, and must not mark every line as bad.
  const isRefused = statusCode === 422 || (statusCode === 400 && /unable to parse|partial write/i.test(message));
  if (!isRefused) return null;
  return { kind: 'refused', dropped: Number(/\bdropped=(\d+)/.exec(message)?.[1] ?? 0), reason: message };
}

/**
 * Reads a Retry-After header, in seconds or as an HTTP date. Returns ms from now; 0 when the header is missing or
 * unreadable.
 */
export function retryAfterMs(header: string | readonly string[] | undefined, nowMs: number): number {
  const text = typeof header === 'string' ? header.trim() : (header?.[0] ?? '');
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const date = text === '' ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}
