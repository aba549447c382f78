import { decodeMeter, instructions, pda } from '@gridtokenx/chain-client';
import { asMeterId, asWh, asWindow, fromHex, sha256 } from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { figures } from '@gridtokenx/testing-kit/oracle/fixtures';
import { TestStatements, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { expect, it } from 'vitest';
import { toRecord } from '../../src/adapters/chain/registry.js';
import type { MeterRecord } from '../../src/domain/ports.js';
import { capacityViolation, netRises } from '../../src/domain/settlement/cosigning/judge.js';
import type { AttestEntry } from '../../src/domain/settlement/ports.js';
import { Three } from './together.js';
import { rigOfThree, statementOf } from './together-zone.js';

const WINDOWS = 4;
/** Twice what the import limit of 8 kW allows in a window. */
const IMPOSSIBLE_WH = 2n * 2_201n;

async function status(fixture: Awaited<ReturnType<typeof rigOfThree>>, to: 'suspended' | 'closed'): Promise<void> {
  const { chain } = fixture.lite;
  const meterId = fromHex(fixture.meters[0]?.meterId ?? '');
  const point = pda.point(ZONE, sha256(new TextEncoder().encode('point 0')));
  const place = { utility: chain.upgradeAuthority.publicKey, zone: ZONE, meterId, page: 0, point };
  const sync = instructions.syncSlot({ meterId, zone: ZONE, page: 0 });
  await fixture.operator.must([instructions.setStatus({ ...place, status: 'suspended' }), sync], []);
  if (to === 'closed') await fixture.operator.must([instructions.setStatus({ ...place, status: to }), sync], []);
  (fixture.meters as MeterRecord[])[0] = toRecord(chain.get(pda.meter(ZONE, meterId), decodeMeter));
}

for (const state of ['active', 'suspended', 'closed'] as const) {
  it(`a home that is ${state} and says what cannot be keeps none of the others from being attested`, async () => {
    const fixture = await rigOfThree(4, 16_000n);
    if (state !== 'active') await status(fixture, state);
    const three = new Three(fixture);
    for (let window = 1; window <= WINDOWS; window++) {
      const total = BigInt(window);
      for (const { hear } of three.nodes.map((node) => ({ hear: node.hear.bind(node) }))) {
        for (const i of [1, 2, 3]) hear(statementOf(fixture, i, window, total * 100n, total * 150n));
        hear(statementOf(fixture, 0, window, 0n, total * IMPOSSIBLE_WH));
      }
      const end = three.clock.nowMs() + 20_000;
      await three.run(() => three.clock.nowMs() >= end, 'a window');
    }
    const { slots } = await figures(fixture);
    expect(slots.slice(1).map(({ exportWh }) => exportWh)).toEqual([400n, 400n, 400n]);
    // The chain's own caps take what is possible of it, and nothing of a home that is not active.
    expect(slots[0]?.importWh).toBeLessThanOrEqual(state === 'active' ? BigInt(WINDOWS + 1) * 2_201n : 0n);
    three.close();
  }, 60_000);
}

it('control: homes that each stay within their limits and together exceed the lines are refused', () => {
  const entry = (slot: number): AttestEntry => ({
    ...{
      meterId: asMeterId(`${slot}`.padStart(32, '0')),
      slot,
      exportWh: asWh(0n),
      importWh: asWh(2_000n),
      payload: new Uint8Array(),
    },
    before: {
      ...{ exportWh: asWh(0n), importWh: asWh(0n), window: asWindow(W(0)), exportCapWh: 1_100, importCapWh: 2_201 },
      ...{ flags: 1, attestors: 1, epoch: 0 },
    },
  });
  const rises = netRises([0, 1, 2].map(entry), [], new TestStatements(), asWindow(W(1)));
  expect(capacityViolation(16_000n, rises, 3n)).toMatch(/above/);
  expect(capacityViolation(16_000n, rises.slice(1), 3n)).toBeNull();
});
