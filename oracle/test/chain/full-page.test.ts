import { figures, liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { expect, it } from 'vitest';

it('a full page: 256 meters in as few transactions as their totals fit, each on a fresh read', async () => {
  const fixture = await liteFixture(256);
  const harness = new SettlerHarness(fixture);
  const of = (window: number, i: number) => BigInt(window * 900 + i);
  for (const window of [1, 2]) {
    for (const [i, meter] of fixture.meters.entries()) {
      harness.statements.put(meter, W(window), of(window, i), of(window, i) * 2n);
    }
  }
  await harness.untilIdle();
  const got = await figures(fixture);
  for (const [i, slot] of got.slots.entries()) {
    const wh = of(2, i);
    expect(slot, `meter ${i}`).toEqual({ exportWh: wh, importWh: 2n * wh, window: W(2), mintedWh: wh });
  }
  const total = fixture.meters.reduce((sum, _meter, i) => sum + of(2, i), 0n);
  expect([got.supply, got.vault]).toEqual([total * 1_000n, total * 1_000n]);
  // Four bytes a meter do not fit one transaction, so each window takes two; a mint follows each.
  expect(got.version).toBe(4n);
  expect(harness.intents().every(({ status }) => status === 'landed')).toBe(true);
  expect(harness.settlements().length).toBe(512);
  harness.close();
});
