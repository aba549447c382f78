import { pda } from '@gridtokenx/chain-client';
import { afterEach, expect, it } from 'vitest';
import type { ChainNode } from '../../../oracle/src/domain/settlement/ports.js';
import { ZONE } from '../../../oracle/test/chain/deployment.js';
import { LaneHarness, W } from '../../../oracle/test/chain/lane-harness.js';
import { figures, liteRig } from '../../../oracle/test/chain/rigs.js';

/** Where a meter page keeps its version: behind the discriminator of 8 bytes. */
const VERSION_AT = 8;
let close: () => void = () => {};
afterEach(() => close());

/** A transaction built on a newer page is still valid when the chain comes back older. Returns what the slots show. */
async function play(isVersionChecked: boolean) {
  const rig = await liteRig(2);
  const raws: Uint8Array[] = [];
  const node: ChainNode = {
    latestBlockhash: () => rig.lite.latestBlockhash(),
    readPage: (zone: number, page: number) => rig.lite.readPage(zone, page),
    outcome: (signature: string) => rig.lite.outcome(signature),
    blockhashState: (intent: never) => rig.lite.blockhashState(intent),
    send: async (raw: Uint8Array) => void raws.push(raw),
  } as unknown as ChainNode;
  const harness = new LaneHarness(rig);
  close = () => {
    harness.close();
    rig.close();
  };
  const put = (n: number, wh: bigint) =>
    rig.meters.forEach((meter) => void harness.statements.put(meter, W(n), wh, 0n));
  put(1, 10n);
  await harness.untilIdle();
  const saved = await rig.save();
  put(2, 110n);
  await harness.untilIdle();
  const newer = (await figures(rig)).version;
  put(3, 210n);
  harness.start(() => ({ node }));
  await harness.lane.step();
  await harness.lane.step();
  await rig.restore(saved);
  if (!isVersionChecked) {
    const key = pda.meterPage(ZONE, 0);
    const account = await rig.account(key);
    if (!account) throw new Error('no page');
    // The program compares the page's version with the transaction's: shown the same one, it has nothing to refuse.
    const data = Buffer.from(account.data);
    data.writeBigUInt64LE(newer, VERSION_AT);
    rig.lite.chain.put(key, { ...account, data });
  }
  expect(raws.length).toBeGreaterThan(0);
  for (const raw of raws) await rig.lite.send(raw);
  return (await figures(rig)).slots.map(({ exportWh, window }) => [exportWh, window]);
}

it('a transaction built on a newer page changes nothing on an older one', { timeout: 30_000 }, async () => {
  expect(await play(true)).toEqual([
    [10n, W(1)],
    [10n, W(1)],
  ]);
});

it('control: without the check of the version a slot shows totals that no statement says', {
  timeout: 30_000,
}, async () => {
  const statements = new Map([
    [W(1), 10n],
    [W(2), 110n],
    [W(3), 210n],
  ]);
  const wrong = (await play(false)).filter(([wh, window]) => statements.get(Number(window)) !== wh);
  expect(wrong.length).toBeGreaterThan(0);
});
