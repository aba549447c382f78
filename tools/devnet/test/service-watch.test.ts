import type { HealthReport } from '@gridtokenx/runtime';
import { expect, it } from 'vitest';
import { ServiceWatch, TELL_AFTER_MS } from '../src/start/service-watch.js';

it('tells what lasts once, what is over once, and nothing of what passes', async () => {
  let ms = 0;
  let answers: Record<string, string | null> = {};
  let isAway = false;
  const said: string[] = [];
  const ask = async (url: string): Promise<HealthReport> => {
    if (isAway && url === 'broker') throw new Error('ECONNREFUSED');
    const conditions = url === 'oracle' ? Object.entries(answers) : [];
    return {
      ok: true,
      problems: [],
      conditions: conditions.map(([name, problem]) => ({ name, problem, since_ms: 0 })),
    };
  };
  const services = ['oracle', 'broker'].map((name) => ({ name, url: name }));
  const watch = new ServiceWatch(
    services,
    (line) => said.push(line),
    ask,
    () => ms,
  );
  const after = async (seconds: number) => {
    ms += seconds * 1_000;
    await watch.poll();
  };
  await after(0);
  answers = { mint: 'refused', settler: 'pauses' };
  await after(10);
  answers = { mint: 'refused', settler: null };
  await after(10);
  expect([said, watch.problems()]).toEqual([[], []]);
  await after(TELL_AFTER_MS / 1_000);
  await after(10);
  expect(said).toEqual(['oracle, mint: refused']);
  expect(watch.problems()).toEqual(['oracle, mint: refused']);
  answers = {};
  await after(10);
  expect(said).toEqual(['oracle, mint: refused', 'oracle, mint: well again.']);
  isAway = true;
  await after(10);
  await after(TELL_AFTER_MS / 1_000);
  expect(said.at(-1)).toBe('broker: it does not answer');
  expect(watch.problems()).toEqual(['broker: it does not answer']);
});
