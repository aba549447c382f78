import { figures, liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { expect, it } from 'vitest';

it('200 homes after an outage of eight hours: every attestation lands within its compute units', async () => {
  const fixture = await liteFixture(200);
  const harness = new SettlerHarness(fixture);
  for (const meter of fixture.meters) harness.statements.put(meter, W(1), 100n, 100n);
  await harness.untilIdle();
  // 32 windows without attestations, then one statement each with long totals.
  for (const meter of fixture.meters) harness.statements.put(meter, W(33), 20_100n, 1_100n);
  await harness.untilIdle();
  const { slots } = await figures(fixture);
  expect(slots.filter(({ exportWh, mintedWh }) => exportWh === 20_100n && mintedWh === exportWh)).toHaveLength(200);
  expect(harness.intents().filter(({ status }) => status !== 'landed')).toEqual([]);
  harness.close();
}, 120_000);
