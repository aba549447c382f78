/** Names whose values may be secrets. */
const SECRET = /pass|secret|token|seed|credential|private/i;
const REMOVED = '(removed)';
/** User and password in an address. */
const USER_IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi;
/** Long runs of base64url: sign-in tokens and signatures. Public keys have at most 44 characters, hashes 64 digits. */
const LONG_RUN = /[A-Za-z0-9_-]{86,}/g;
/** A name that may be a secret's, with its value, in text. */
const NAMED = /("?\b\w*(?:pass|secret|token|seed|credential)\w*"?\s*[:=]\s*)("[^"]*"|[^\s,}]+)/gi;

/** Returns a copy of parsed JSON or YAML without what may be a secret. */
export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value === 'string') return redactedText(value);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, SECRET.test(key) && inner !== null ? REMOVED : redacted(inner)]),
  );
}

/** Returns a text without passwords in addresses, named secrets and long tokens. */
export function redactedText(text: string): string {
  return text.replace(USER_IN_URL, `$1${REMOVED}@`).replace(NAMED, `$1${REMOVED}`).replace(LONG_RUN, REMOVED);
}
