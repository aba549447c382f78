import { Store } from '#oracle/adapters/sqlite/store.js';
import type { SeriesRow } from '#oracle/domain/ports.js';
import { MintTracker } from '#oracle/domain/settlement/mint-tracker.js';
import { planWindow } from '#oracle/domain/settlement/plan.js';
import { Convergence } from '#oracle/domain/verdicts/convergence.js';
import type { Control } from '../campaign.js';
import { MemorySeries, parts } from './bench.js';

/** Replaces a method, or getter; returns a function that restores it. */
function replace<T extends object, K extends keyof T>(target: T, name: K, make: (old: T[K]) => T[K]): () => void {
  const old = Object.getOwnPropertyDescriptor(target, name);
  if (!old) throw new Error(`no ${String(name)} to replace`);
  const value = make(old.value as T[K]);
  Object.defineProperty(target, name, old.get ? { ...old, get: () => value } : { ...old, value });
  return () => Object.defineProperty(target, name, old);
}

/** Plans the oldest window first, whatever is current, one window at a time. */
const oldestFirst: typeof planWindow = (slots, candidates, ...rest) => {
  const first = Math.min(...candidates.map(({ oldest }) => oldest?.window ?? Number.POSITIVE_INFINITY));
  const due = candidates.map((one) =>
    one.oldest?.window === first
      ? { ...one, newest: one.oldest }
      : { meter: one.meter, oldest: undefined, newest: undefined },
  );
  return planWindow(slots, due, ...rest);
};

/** A store that retries a failed batch unchanged, and nothing else before it. */
class UnsplitSeries extends MemorySeries {
  #isStuck = false;
  override async write(points: readonly SeriesRow[]): Promise<void> {
    if (this.#isStuck) throw new Error('the same batch again');
    await super.write(points).catch((error: unknown) => {
      this.#isStuck = true;
      throw error;
    });
  }
}

/** Each control removes one of the fixes; the campaign must notice. */
export const neighboursControls: Readonly<Record<string, Control>> = {
  'oldest-first': {
    about: 'a page attests the oldest window first, whatever is current, and never several as one lump',
    seeds: 200,
    install: () => {
      parts.plan = oldestFirst;
      return () => {
        parts.plan = planWindow;
      };
    },
  },
  'mints-again': {
    about: 'the settler retries at once a mint that failed or left energy due',
    seeds: 200,
    install: () => replace(MintTracker.prototype, 'next', () => (tasks) => tasks[0] ?? null),
  },
  'every-second': {
    about: 'the oracle judges again every second the messages that wait for their time, and the rest of their streams',
    seeds: 400,
    install: () => {
      const back = [
        replace(
          Store.prototype,
          'due',
          (old) =>
            function (this: Store) {
              return old.call(this, Number.MAX_SAFE_INTEGER);
            },
        ),
        replace(Convergence.prototype, 'isReached', () => () => false),
      ];
      return () => back.forEach((one) => void one());
    },
  },
  'whole-streams': {
    about: 'for a late message the oracle judges the rest of its stream again',
    seeds: 400,
    install: () => replace(Convergence.prototype, 'isReached', () => () => false),
  },
  'no-quota': {
    about: 'a key has no allowance',
    seeds: 400,
    install: () =>
      replace(
        Store.prototype,
        'save',
        (old) =>
          function (this: Store, stream) {
            stream.quota = null;
            old.call(this, stream);
          },
      ),
  },
  'no-split': {
    about: 'the feeder retries a refused batch unchanged',
    seeds: 400,
    install: () => {
      const before = parts.makeSeries;
      parts.makeSeries = () => new UnsplitSeries();
      return () => {
        parts.makeSeries = before;
      };
    },
  },
};
