import { decodeMeter, instructions, pda, UserRole } from '@gridtokenx/chain-client';
import { asMeterId } from '@gridtokenx/protocol';
import { setStatus } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import type { Connection, GetProgramAccountsConfig, PublicKey } from '@solana/web3.js';
import { expect, it } from 'vitest';
import { RpcRegistry } from '../../src/adapters/chain/registry.js';

const thief = keyOf('utility of zone 3');

/** A registry that reads the chain in process, for an oracle with this attestor. */
function registryOf({ chain }: World, attestor: PublicKey | null) {
  const clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  let zoneReads = 0;
  const connection = {
    async getProgramAccounts(program: PublicKey, config: GetProgramAccountsConfig & { withContext?: boolean }) {
      const size = config.filters?.flatMap((filter) => ('dataSize' in filter ? [filter.dataSize] : []))[0];
      const value = chain.svm
        .getProgramAccounts(program.toBytes())
        .map((entry) => ({ account: { data: Buffer.from(entry.account().data()), owner: program } }))
        .filter(({ account }) => account.data.length === size);
      if (!config.withContext) zoneReads++;
      return config.withContext ? { context: { slot: 1 }, value } : value;
    },
  } as unknown as Connection;
  const registry = new RpcRegistry(connection, clock, quietLog, [], attestor);
  const refresh = async (ms = 1_000) => {
    clock.advanceNow(ms);
    await registry.refresh();
  };
  return { registry, refresh, zoneReads: () => zoneReads };
}

/** The utility of zone 3 confirms a record with the id of another zone's meter and a key of its own. */
function steal(world: World, meter: TestMeter): void {
  const { chain } = world;
  const other = new World({ zone: 3 }, chain);
  const place = { authority: thief.publicKey, payer: world.payer, zone: 3 };
  const wallet = meter.owner.publicKey;
  const fake = { ...meter, key: keyOf('fake device') };
  const user = { ...place, wallet, commitment: new Uint8Array(32), role: UserRole.owner };
  chain.must([instructions.registerUser(user)], [thief]);
  const [verify] = other.register(fake, { pending: true });
  if (!verify) throw new Error('no verification');
  const record = { ...place, authorityIsUtility: true, meterId: meter.id, owner: wallet };
  chain.must([verify, instructions.registerMeter({ ...record, pointCommitment: meter.commitment })], [thief]);
  const confirm = other.confirm(fake, { exportLimitW: 0, importLimitW: 0 });
  if (confirm.keys[0]) confirm.keys[0] = { ...confirm.keys[0], pubkey: thief.publicKey };
  chain.must([confirm], [thief]);
}

function withZone3(world: World): World {
  const zone = { authority: world.authority.publicKey, payer: world.payer, zone: 3 };
  world.chain.must(
    [instructions.createZone({ ...zone, utility: thief.publicKey, capacityW: 1_000n })],
    [world.authority],
  );
  return world;
}

const attestorOf = (world: World): PublicKey => {
  const [first] = world.attestors;
  if (!first) throw new Error('no attestor');
  return first.publicKey;
};

it('a zone that confirms a waiting meter id first takes it from no oracle of the other zone', async () => {
  const world = withZone3(new World().setUp());
  const { chain } = world;
  const meter = world.meter('victim');
  chain.must(world.register(meter, { pending: true }), world.staff);
  steal(world, meter);
  chain.time += 900;
  chain.must([world.confirm(meter)], [world.utility]);
  const id = asMeterId(meter.id);
  const ours = registryOf(world, attestorOf(world));
  await ours.refresh();
  expect(ours.registry.meter(id)?.zone).toBe(world.zone);
  expect(ours.registry.meter(id)?.key).toEqual(
    chain.get(pda.meter(world.zone, meter.id), decodeMeter).deviceKey.toBytes(),
  );
  // Zones are read for that at most every 30 s.
  for (let i = 0; i < 10; i++) await ours.refresh();
  expect(ours.zoneReads()).toBe(1);
  // Control: to an oracle that attests neither zone, the earlier confirmation speaks.
  const neutral = registryOf(world, keyOf('somebody').publicKey);
  await neutral.refresh();
  expect(neutral.registry.meter(id)?.zone).toBe(3);
});

it('an active meter stays where it was, also in the same window and for an oracle of neither zone', async () => {
  const world = withZone3(new World().setUp());
  const [meter] = world.addMeters(1);
  if (!meter) throw new Error('no meter');
  const readers = [registryOf(world, attestorOf(world)), registryOf(world, keyOf('somebody').publicKey)];
  for (const { refresh } of readers) await refresh();
  expect(readers.map(({ zoneReads }) => zoneReads())).toEqual([0, 0]);
  steal(world, meter);
  for (const { registry, refresh } of readers) {
    await refresh();
    expect(registry.meter(asMeterId(meter.id))?.zone).toBe(world.zone);
  }
});

it('a device that moved is heard in its new zone', async () => {
  const world = new World({ zone: 7 }).setUp();
  const { chain } = world;
  const before = new World({ zone: 3 }, chain);
  chain.must([before.createZone(3)], [world.authority]);
  const users = [before.registerUser(world.installer.publicKey, 2), before.registerUser(world.owner.publicKey, 1)];
  chain.must(users, [world.utility]);
  const meter = world.meter('moves');
  chain.must(before.register(meter, {}), world.staff);
  before.createPages(0);
  chain.must([instructions.activateSlot({ meterId: meter.id, zone: 3, page: 0 })]);
  const { registry, refresh } = registryOf(world, attestorOf(world));
  await refresh();
  expect(registry.meter(asMeterId(meter.id))).toMatchObject({ zone: 3, status: 'active' });
  chain.must([setStatus(before, meter, 'suspended')], [world.utility]);
  chain.must([instructions.syncSlot({ meterId: meter.id, zone: 3, page: 0 })]);
  chain.must([setStatus(before, meter, 'closed')], [world.utility]);
  chain.time += 900 * 200;
  chain.must(world.register(meter, { message: { window: windowAt(chain.time) } }), world.staff);
  await refresh();
  expect(registry.meter(asMeterId(meter.id))).toMatchObject({ zone: 7, status: 'active' });
});
