/** What a route answers. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A request that cannot be answered as it is; the message is for whoever asks. Throw it in a route. */
export class HttpProblem extends Error {
  readonly status: number;

  /** `status`: from 400 to 499. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What every answer says: nothing is kept, and nothing is taken for another type. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** JSON. Throws where `body` cannot be written as JSON. */
export function jsonAnswer(status: number, body: unknown): HttpAnswer {
  return { status, headers: { ...ALWAYS, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** One line of JSON that says why there is no answer. */
export function errorAnswer(status: number, error: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const answer = jsonAnswer(status, { error });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** A page; `headers` take the place of the usual ones of the same name, for a policy of its own. */
export function htmlAnswer(body: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status: 200, headers: { ...ALWAYS, 'content-type': 'text/html; charset=utf-8', ...headers }, body };
}

/** Anything else, by its content type. */
export function typedAnswer(status: number, contentType: string, body: string | Uint8Array): HttpAnswer {
  return { status, headers: { ...ALWAYS, 'content-type': contentType }, body };
}
