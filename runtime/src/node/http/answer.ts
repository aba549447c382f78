/** The answer of a route. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A request that the client must change; the message is for the client. Throw it in a route. */
export class HttpProblem extends Error {
  readonly status: number;

  /** `status`: from 400 to 499. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Headers of every answer: caches keep nothing, and browsers guess no other content type. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Returns a JSON answer. Throws when `body` cannot be written as JSON. */
export function jsonAnswer(status: number, body: unknown): HttpAnswer {
  return { status, headers: { ...ALWAYS, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** Returns one line of JSON with the reason of a refusal. */
export function errorAnswer(status: number, error: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const answer = jsonAnswer(status, { error });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Returns a page. `headers` replace the usual ones of the same name, for a policy of its own. */
export function htmlAnswer(body: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status: 200, headers: { ...ALWAYS, 'content-type': 'text/html; charset=utf-8', ...headers }, body };
}

/** Returns any other answer, by its content type. */
export function typedAnswer(status: number, contentType: string, body: string | Uint8Array): HttpAnswer {
  return { status, headers: { ...ALWAYS, 'content-type': contentType }, body };
}
