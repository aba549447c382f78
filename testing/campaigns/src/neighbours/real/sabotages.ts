/** A place in a built module, and its replacement. */
export interface Change {
  /** Below the project's folder. */
  readonly module: string;
  readonly from: string;
  readonly to: string;
}

/** A limit that is removed from the services, and the misuse that the limit prevents. */
export interface Sabotage {
  readonly about: string;
  readonly acts: readonly string[];
  readonly attackMs: number;
  readonly changes: readonly Change[];
}

const ENDLESS = '1e9';
const broker = (from: string, to: string): Change => ({ module: 'broker/dist/config.js', from, to });
const acl = 'broker/dist/domain/acl.js';
const plan = 'oracle/dist/domain/settlement/plan.js';
const http = (from: string, to: string): Change => ({ module: 'runtime/dist/node/http-server.js', from, to });

/** The services themselves stay unchanged: a hook changes a module while it is loaded. */
export const SABOTAGES: Readonly<Record<string, Sabotage>> = {
  subscriptions: {
    about: 'a gateway subscribes to any topic, without a limit',
    acts: ['filters'],
    attackMs: 60_000,
    changes: [
      {
        module: acl,
        from: 'const allowed = allowedFilters(who);',
        to: "const allowed = allowedFilters(who); if (who.role === 'gateway') return true;",
      },
      broker('subscriptions: 16,', `subscriptions: ${ENDLESS},`),
      broker('filtersPerMinute: 240,', `filtersPerMinute: ${ENDLESS},`),
      broker('refusedFilters: 64,', `refusedFilters: ${ENDLESS},`),
      broker('controlBytes: 4_096,', 'controlBytes: 65_536,'),
    ],
  },
  'settler-order': {
    about: 'late windows of a page come before the current one, each on its own',
    acts: ['backlog'],
    attackMs: 15_000,
    changes: [
      { module: plan, from: ': [current, ...late.filter((one) => one !== current)]', to: ': late' },
      { module: plan, from: 'MAX_LAG_WINDOWS = 7', to: `MAX_LAG_WINDOWS = ${ENDLESS}` },
    ],
  },
  'log-lines': {
    about: 'every refusal writes its own log line',
    acts: ['logFlood'],
    attackMs: 60_000,
    changes: [
      {
        module: 'runtime/dist/node/bounded-log.js',
        from: 'if (count.written >= linesPerReason || this.#chars >= charsPerPeriod) {',
        to: 'if (false) {',
      },
    ],
  },
  'half-open': {
    about: 'unfinished connections keep their places for an hour',
    acts: ['halfOpen'],
    attackMs: 12_000,
    changes: [
      { module: 'runtime/dist/node/connections.js', from: 'if (!mayEnd()) continue;', to: 'continue;' },
      http('headersMs: 5_000,', 'headersMs: 3_600_000,'),
      http('requestMs: 10_000,', 'requestMs: 3_600_000,'),
      http('answerMs: 30_000,', 'answerMs: 3_600_000,'),
    ],
  },
  'used-tokens': {
    about: 'a token is valid more than once',
    acts: ['tokenReplay'],
    attackMs: 12_000,
    changes: [
      {
        module: 'broker/dist/domain/seen-tokens.js',
        from: 'if (memory.tokens.has(nonce) || token.notBefore <= memory.floor) return false;',
        to: '',
      },
    ],
  },
};

/** Returns the text of a module with a sabotage in it; throws where the place no longer exists. */
export function sabotaged(text: string, changes: readonly Change[]): string {
  return changes.reduce((changed, { module, from, to }) => {
    if (!changed.includes(from)) throw new Error(`${module} has no "${from}"`);
    return changed.replace(from, to);
  }, text);
}
