import { SignInRefused } from './session.js';

/** The facts that this end knows of a sign-in. */
export interface SignInFacts {
  /** Name of the broker in the configuration. */
  readonly broker: string;
  /** This end's key in base58. */
  readonly key: string;
  /** Time that the token states, ms since 1970. */
  readonly nowMs: number;
}

/** Says in plain words why no session began, and what to do. */
export function noSessionWords(error: unknown, facts: SignInFacts): string {
  if (error instanceof SignInRefused) return `the broker refused the sign-in: ${refusalWords(error, facts)}`;
  return `no connection to the broker: ${wordsOf(error)}`;
}

/** The codes of our broker [numbers §10.2]. Another broker may use them for less. */
function refusalWords({ returnCode, message }: SignInRefused, { broker, key, nowMs }: SignInFacts): string {
  switch (returnCode) {
    case 2:
      return `its name is not "${broker}": correct broker.name in the configuration`;
    case 3:
      return 'it has no room for one more session now, and is asked again';
    case 4:
      return `the time of the sign-in is wrong: ${utc(nowMs)} here differs from the broker's clock: set the clock right`;
    case 5:
      return `it does not list the key ${key}, or the key is revoked: the utility adds it to the broker's keys file`;
    default:
      return message;
  }
}

const utc = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** Advice for an error of the network, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the broker running, and is its address right?',
  ENOTFOUND: 'its host name is not known: correct the address, or mend the name server',
  EAI_AGAIN: 'no name server answers: is this machine on the network?',
  EHOSTUNREACH: 'no way leads to its host: is it on, and is the address right?',
  ENETUNREACH: 'this machine is on no network that leads there',
  ETIMEDOUT: 'its host does not answer: is it on, and does a firewall drop the connection?',
};

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
  const advice = Object.entries(ADVICE).find(
    ([name]) => code === name || cause?.code === name || error.message.includes(name),
  );
  const text = error.message || String(code ?? error.name);
  return advice ? `${advice[1]} (${text})` : text;
}
