import { Random } from '@gridtokenx/testing-kit/random';
import { HOMES } from './profile.js';

/** A process by name, the launcher alone, or the launcher and all its children at one moment. */
export type Target = string | 'launcher' | 'everything';

/** Real milliseconds after the launcher began (or after simulated time began to run), and the target. */
export interface Kill {
  readonly afterMs: number;
  readonly targets: readonly Target[];
}

export interface Schedule {
  /** Kills during the bring-up: chain, enrolment, first sign-in. */
  readonly bringUp: readonly Kill[];
  /** Kills while windows are played and settled. */
  readonly running: readonly Kill[];
}

const SERVICES = [
  'chain',
  'broker',
  'oracle',
  'meters',
  ...Array.from({ length: HOMES }, (_, i) => `gateway-${i + 1}`),
];

/** `lengthMs`: how long the windows run in real time; kills fall into that time or shortly after it. */
export function scheduleOf(seed: number, lengthMs: number): Schedule {
  const random = new Random(seed, 'kills');
  const bringUp: Kill[] = random.chance(0.15) ? [{ afterMs: random.int(0, 6_000), targets: ['everything'] }] : [];
  const running: Kill[] = [];
  const count = random.int(3, 6);
  for (let i = 0; i < count; i++) {
    const afterMs = random.int(0, lengthMs + 1_500);
    const roll = random.fraction();
    if (roll < 0.06) running.push({ afterMs, targets: ['launcher'] });
    else if (roll < 0.12) running.push({ afterMs, targets: ['everything'] });
    else if (roll < 0.3) running.push({ afterMs, targets: random.shuffled(SERVICES).slice(0, random.int(2, 3)) });
    else running.push({ afterMs, targets: [random.pick(SERVICES)] });
  }
  return { bringUp, running: running.sort((a, b) => a.afterMs - b.afterMs) };
}
