/** Words in the names of secrets. */
const WORDS = 'pass|secret|token|seed|credential|private|psk|pwd|api[_-]?key|authorization';
const SECRET = new RegExp(WORDS, 'i');
const REMOVED = '(removed)';
/** User and password in an address: a password may hold any character but a blank or a double quote. */
const USER_IN_URL = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"<>]{1,512}@/gi;
/** Long runs of base64url: sign-in tokens and signatures. Public keys have at most 44 characters, hashes 64 digits. */
const LONG_RUN = /[A-Za-z0-9_-]{86,}/g;
/** A JSON web token, whose parts may be short. */
const WEB_TOKEN = /\beyJ[\w-]{4,}\.[\w.-]+/g;
const PEM_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}-----|$)/g;
const AUTHORIZATION = /\b(bearer|basic)\s+[\w.~+/=-]{4,}/gi;
/** A value in text: in quotes, in quotes inside of quoted JSON, a list, or one word. */
const VALUE = String.raw`\\"[^\n]*?\\"|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|\[[^\]\n]*\]?|(?:[^\s,}&]|,(?=[^\s"']))+`;
/** A name that may be a secret's, with its value. Counts are bounded, so that no text takes long. */
const NAMED = new RegExp(String.raw`((?:${WORDS})[\w-]{0,40}\\?["']?\s{0,8}[:=]\s{0,8})(?:${VALUE})`, 'gi');

/** Returns a copy of parsed JSON or YAML without what may be a secret. */
export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value === 'string') return redactedText(value);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      redactedText(key),
      SECRET.test(key) && inner !== null ? REMOVED : redacted(inner),
    ]),
  );
}

/** Returns a text without passwords in addresses, named secrets, private keys and tokens. */
export function redactedText(text: string): string {
  return text
    .replace(PEM_KEY, REMOVED)
    .replace(USER_IN_URL, `$1${REMOVED}@`)
    .replace(WEB_TOKEN, REMOVED)
    .replace(AUTHORIZATION, `$1 ${REMOVED}`)
    .replace(NAMED, `$1${REMOVED}`)
    .replace(LONG_RUN, REMOVED);
}
