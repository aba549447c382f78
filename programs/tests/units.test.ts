import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { instructions, programIds } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { unitsOf } from '@gridtokenx/testing-kit/chain/harness';
import {
  answer,
  conclude,
  dispute,
  reactivate,
  rotate,
  setStatus,
  submit,
  sync,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { regressions, type Units } from '@gridtokenx/testing-kit/chain/units';
import { keyOf, START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { TransactionInstruction } from '@solana/web3.js';
import { expect, test } from 'vitest';

const file = join(dirname(fileURLToPath(import.meta.url)), 'units.json');

/** Attests the first `count` slots, each with two bytes of export and one of import: the usual case. */
function attest(world: World, window: number, count: number): number {
  const before = world.meterPage();
  const totals = new Map(
    before.slots
      .slice(0, count)
      .map((slot, index) => [index, { exportWh: slot.exportWh + 300n, importWh: slot.importWh + 1n }]),
  );
  const outcome = world.attest({ window, items: world.items(window, totals) });
  expect(outcome.message).toBe('');
  expect(world.meterPage().slots[count - 1]?.window).toBe(window);
  return unitsOf(outcome, programIds.oracle);
}

function measure(): Units {
  const world = new World().setUp();
  const registration = world.register(world.meter('0'), { pending: true });
  const registered = unitsOf(world.chain.must(registration, world.staff), programIds.registry);
  const confirmed = unitsOf(world.chain.must([world.confirm(world.meter('0'))], world.staff), programIds.registry);
  world.createPages();
  const { zone } = world;
  const activate = instructions.activateSlot({ meterId: world.meter('0').id, zone, page: 0 });
  const activated = unitsOf(world.chain.must([activate]), programIds.oracle);
  for (let index = 1; index < 200; index++) {
    const meter = world.meter(`${index}`);
    world.chain.must(
      [...world.register(meter), instructions.activateSlot({ meterId: meter.id, zone, page: 0 })],
      world.staff,
    );
  }
  world.chain.time = START + 9_000;
  const window = windowAt(START);
  const [one, many] = [attest(world, window + 1, 1), attest(world, window + 2, 200)];
  const minted = unitsOf(world.mintPage(), programIds.energyToken);
  const nothing = unitsOf(world.mintPage(), programIds.energyToken);
  const owner = world.owner;
  const { id: meterId } = world.meter('0');
  const toWallet = instructions.setDestination({
    owner: owner.publicKey,
    meterId,
    zone,
    page: 0,
    destination: 'wallet',
  });
  const destination = unitsOf(world.chain.must([toWallet], [owner]), programIds.energyToken);
  world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner: owner.publicKey })]);
  attest(world, window + 3, 1);
  const mintMeter = instructions.mintMeter({ meterId, owner: owner.publicKey, zone, page: 0 });
  const mintedToWallet = unitsOf(world.chain.must([mintMeter]), programIds.energyToken);
  const retire = instructions.retire({ owner: owner.publicKey, meterId, zone, page: 0, wh: asWh(1n) });
  return {
    register_meter: registered,
    confirm_meter: confirmed,
    activate_slot: activated,
    'attest_page, 1 meter': one,
    'attest_page, 200 meters': many,
    'mint_page, 200 meters': minted,
    'mint_page, nothing to mint': nothing,
    set_destination: destination,
    mint_meter: mintedToWallet,
    retire: unitsOf(world.chain.must([retire], [owner]), programIds.energyToken),
    ...measureTrust(),
  };
}

/** Measures a device-signed statement by anyone, and the instructions of a dispute. */
function measureTrust(): Units {
  const world = new World().setUp();
  const [meter] = world.addMeters(1, { message: { deviceSigned: true } });
  if (!meter) throw new Error('a meter');
  world.chain.time = START + 9_000;
  const window = windowAt(START);
  const oracle = (list: TransactionInstruction[]) => unitsOf(world.chain.must(list), programIds.oracle);
  const registry = (list: TransactionInstruction[]) =>
    unitsOf(world.chain.must(list, [world.utility]), programIds.registry);
  const said = (step: number, exportWh: bigint) => ({ window: window + step, exportWh, importWh: 1n });
  const submitted = oracle(submit(world, meter, said(1, 300n)));
  expect(attest(world, window + 2, 1)).toBeGreaterThan(0);
  const disputed = oracle(dispute(world, meter, 0, said(3, 299n)));
  const answered = oracle(answer(world, meter, 0, { ...said(2, 600n), importWh: 2n }));
  const status = registry(reactivate(world, meter, { ...said(3, 600n), importWh: 2n }, 0));
  const concluded = oracle([conclude(world, meter, 0)]);
  const rotated = registry(rotate(world, meter, { key: keyOf('next') }));
  world.chain.must([setStatus(world, meter, 'suspended')], [world.utility]);
  return {
    submit_statement: submitted,
    dispute: disputed,
    answer: answered,
    set_status: status,
    conclude_dispute: concluded,
    rotate_key: rotated,
    sync_slot: oracle([sync(world, meter)]),
  };
}

test('no instruction costs 2 % more than committed (GTX_WRITE_UNITS=1 commits the new figures)', () => {
  const measured = measure();
  if (process.env.GTX_WRITE_UNITS) writeFileSync(file, `${JSON.stringify(measured, null, 2)}\n`);
  expect(regressions(measured, JSON.parse(readFileSync(file, 'utf8')))).toEqual([]);
});

test('a device-signed statement costs at most 3,000 units', () => {
  expect(measureTrust().submit_statement).toBeLessThanOrEqual(3_000);
});

test('control: the check sees 3 % more, a new figure and a missing one, and not 2 %', () => {
  const committed = { a: 1_000, b: 1_000, c: 1 };
  expect(regressions({ a: 1_020, b: 1_030, d: 1 }, committed)).toEqual([
    'b: 1030 units, committed 1000',
    'd has no committed figure',
    'c is not measured any more',
  ]);
});
