import { Reason, type Verifier } from '@gridtokenx/protocol';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { Store } from '#oracle/adapters/sqlite/store.js';
import type { Control } from '../campaign.js';
import { Bench } from './bench.js';
import { LaggingRegistry } from './registry.js';

/** Puts another method in the place of one; returns what puts the old one back. */
// biome-ignore lint/suspicious/noExplicitAny: a method of any shape
function replace<T extends object>(target: T, name: keyof T, make: (old: any) => unknown): () => void {
  const old = Object.getOwnPropertyDescriptor(target, name);
  if (!old) throw new Error(`no ${String(name)} to replace`);
  const changed = old.get ? { ...old, get: make(old.get) as () => unknown } : { ...old, value: make(old.value) };
  Object.defineProperty(target, name, changed);
  return () => Object.defineProperty(target, name, old);
}

/** Rules that are switched off one at a time; the campaign must notice each. */
export const ledgerControls: Readonly<Record<string, Control>> = {
  'late-suspension': {
    about: 'a suspension counts for later arrivals only: earlier messages keep their verdict',
    seeds: 100,
    install: () =>
      replace(
        Store.prototype,
        'rejudge',
        (old: Store['rejudge']) =>
          function (this: Store, ...args: Parameters<Store['rejudge']>) {
            if (args[2].verdict.code !== Reason.keySuspended) old.apply(this, args);
          },
      ),
  },
  'first-stands': {
    about: 'of two contradicting messages the first is no equivocation',
    seeds: 100,
    install: () => replace(Store.prototype, 'contradict', () => () => undefined),
  },
  'gaps-forgotten': {
    about: 'declared gaps live in memory only and are lost by a kill',
    seeds: 300,
    install: () => replace(Store.prototype, 'addGap', () => () => undefined),
  },
  'registry-believed': {
    about: 'an old state of the registry counts as a new state',
    seeds: 100,
    install: () =>
      replace(
        LaggingRegistry.prototype,
        'asOf',
        (old: () => { chainSlot: number; fetchedAtMs: number }) =>
          function (this: LaggingRegistry) {
            const asOf = old.call(this);
            return { ...asOf, fetchedAtMs: asOf.fetchedAtMs + 1_000_000_000 };
          },
      ),
  },
  'time-ignored': {
    about: 'messages from the future are never judged again',
    seeds: 100,
    install: () =>
      replace(SqliteLedger.prototype, 'reconsider', () => () => ({ verified: [], gateways: [], verdicts: new Map() })),
  },
  'lost-with-the-kill': {
    about: 'uncommitted messages count as stored: nobody sends them again',
    seeds: 100,
    install: () => replace(Bench.prototype, 'lost', () => () => undefined),
  },
  'every-signature': {
    about: 'every signature is valid',
    seeds: 20,
    install: () =>
      replace(Bench.prototype, 'verifierOf', () => (verifier: Verifier) => ({ ...verifier, verify: () => true })),
  },
};
