import { instructions, pda } from '@gridtokenx/chain-client';
import { START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { expect, test } from 'vitest';

test('the whole way from enrolment to tokens', () => {
  const world = new World().setUp();
  const [meter] = world.addMeters(3);
  if (!meter) throw new Error('no meter');
  const window = windowAt(START) + 1;
  world.chain.time = START + 1_800;
  const totals = new Map([0, 1, 2].map((slot) => [slot, { exportWh: 100n + BigInt(slot), importWh: 7n }]));
  const outcome = world.attest({ window, items: world.items(window, totals) });
  expect(outcome.message).toBe('');
  const slots = world.meterPage().slots;
  expect(slots[2]).toMatchObject({ exportWh: 102n, importWh: 7n, window, flags: 1, attestors: 3, epoch: 1 });
  const { zone } = world;
  world.chain.must(
    [
      instructions.setDestination({
        owner: meter.owner.publicKey,
        meterId: meter.id,
        zone,
        page: 0,
        destination: 'wallet',
      }),
    ],
    [meter.owner],
  );
  const minted = world.mintPage();
  expect(minted.message).toBe('');
  expect(world.supply()).toBe(203_000n);
  expect(world.balance(pda.poolVault())).toBe(203_000n);
  const owner = meter.owner.publicKey;
  world.chain.must([
    instructions.createOwnerTokenAccount({ payer: world.payer, owner }),
    instructions.mintMeter({ meterId: meter.id, owner, zone, page: 0 }),
  ]);
  expect(world.balance(pda.ownerTokenAccount(owner))).toBe(100_000n);
  expect(world.supply()).toBe(303_000n);
});
