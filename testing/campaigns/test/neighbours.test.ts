import type { Payload } from '@gridtokenx/protocol';
import { EventCode, Kind, Quality } from '@gridtokenx/protocol';
import { describe, expect, it } from 'vitest';
import { addFigures, type Outcome } from '../src/campaign.js';
import { Begins } from '../src/neighbours/begins.js';
import { neighboursCampaign } from '../src/neighbours/index.js';

const { controls, review, run } = neighboursCampaign;
/** A seed that notices each control: a search would take longer. */
const NOTICED_BY: Readonly<Record<string, number>> = {
  'oldest-first': 50,
  'mints-again': 1,
  'every-second': 3,
  'whole-streams': 176,
  'no-quota': 70,
  'no-split': 2,
};
/** Each of these seeds must have no fault while every rule is on. */
const SEEDS = Object.values(NOTICED_BY);

describe('campaign neighbours, short', { timeout: 120_000 }, () => {
  const played = new Map<number, Outcome>();

  it.each(Object.entries(controls))('control %s is noticed', async (name, control) => {
    const repair = control.install();
    try {
      expect((await run(NOTICED_BY[name] ?? 1)).faults).not.toEqual([]);
    } finally {
      repair();
    }
  });

  // Runs after the controls: a repair without effect is noticed here.
  it('keeps nine homes well whatever the tenth does', async () => {
    const figures: Record<string, number> = {};
    for (const seed of SEEDS) {
      const outcome = await run(seed);
      played.set(seed, outcome);
      expect(outcome.faults, `seed ${seed}`).toEqual([]);
      addFigures(figures, outcome.figures);
    }
    expect(figures.windows).toBeGreaterThan(SEEDS.length * 9 * 3);
    expect(figures.transactions).toBeGreaterThan(SEEDS.length * 8);
    expect(Object.keys(figures).filter((name) => name.startsWith('trick: ')).length).toBeGreaterThan(6);
  });

  it('is the same for the same seed', async () => {
    const [seed = 1] = SEEDS;
    expect(await run(seed)).toEqual(played.get(seed) ?? (await run(seed)));
  });

  it('control: a full run that reached nothing is refused', () => {
    expect(review({}, 10_000).length).toBeGreaterThan(15);
    expect(review({}, 40)).toEqual([]);
  });
});

describe('steps that late and waiting messages make necessary', () => {
  const event = (seq: number, timeMs: number): Payload => {
    const header = { networkId: new Uint8Array(8), meterId: new Uint8Array(16), seq: BigInt(seq) };
    const body = { code: EventCode.started, timeMs: BigInt(timeMs), detail: 0, value: 0n, data: new Uint8Array(0) };
    return {
      ...header,
      ...body,
      kind: Kind.event,
      quality: Quality.gatewaySigned,
      prev: new Uint8Array(16),
    } as Payload;
  };
  const statement = (seq: number) => ({ ...event(seq, 0), kind: Kind.statement, window: 0 }) as unknown as Payload;
  /** A time at which nothing waits any more. */
  const LATE_MS = 2_000_000;
  const sameClock = (readingMs: number) => readingMs;

  it('are none in order, and lead to what is late from the last statement, or 2,048 messages', () => {
    const begins = new Begins();
    begins.note([event(1, 0), statement(2), event(3, 0), event(4, 0), event(6, 0)], LATE_MS, sameClock);
    expect(begins.steps(LATE_MS)).toBe(0);
    begins.note([event(5, 0)], LATE_MS, sameClock);
    expect(begins.steps(LATE_MS)).toBe(3);
    begins.note([event(5, 0)], LATE_MS, sameClock);
    expect(begins.steps(LATE_MS)).toBe(3);
    const long = new Begins();
    const messages = Array.from({ length: 5_000 }, (_, i) => event(i + 1, 0));
    long.note(
      messages.filter(({ seq }) => seq !== 4_000n),
      0,
      sameClock,
    );
    long.note([event(4_000, 0)], LATE_MS, sameClock);
    expect(long.steps(LATE_MS)).toBe(2_049);
  });

  it('are one way for all that is due in a second, once it is due', () => {
    const begins = new Begins();
    const due = (ms: number) => ms + 60_000;
    begins.note([event(1, 0), event(2, due(5_100)), event(3, due(5_900)), event(4, due(7_500))], 0, sameClock);
    expect(begins.steps(3_000)).toBe(0);
    expect(begins.steps(5_500)).toBe(3);
    expect(begins.steps(9_000)).toBe(3 + 4);
  });
});
