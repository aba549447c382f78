import { instructions, pda } from '@gridtokenx/chain-client';
import { asWh, base58Encode, sha256 } from '@gridtokenx/protocol';
import { findingsAfter } from '@gridtokenx/testing-kit/chain/audit';
import { ReadOnlyRpc } from '@gridtokenx/testing-kit/chain/rpc';
import { dispute, replace, setStatus, submit, sync } from '@gridtokenx/testing-kit/chain/telemetry';
import { START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditChain } from '../src/main.js';

const ENROLLED = windowAt(START);
const SLOT = 96;
const LEDGER = 64;
let world: World;
let rpc: ReadOnlyRpc;
let url: string;
let old: TestMeter;

beforeAll(async () => {
  world = new World().setUp();
  const [first, second] = world.addMeters(2, { message: { deviceSigned: true } });
  if (!first || !second) throw new Error('two meters');
  old = second;
  const { chain, zone, utility } = world;
  chain.time = START + 900 * 20;
  const owner = world.owner.publicKey;
  const at = { owner, meterId: first.id, zone, page: 0 };
  chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
  chain.must([instructions.setDestination({ ...at, destination: 'wallet' })], [world.owner]);
  chain.must(submit(world, first, { window: ENROLLED + 5, exportWh: 500n, importWh: 300n }));
  chain.must([instructions.mintMeter(at)]);
  chain.must([instructions.retire({ ...at, wh: asWh(200n) })], [world.owner]);
  chain.must(dispute(world, first, 0, { window: ENROLLED + 6, exportWh: 400n, importWh: 300n }));
  chain.must([setStatus(world, second, 'suspended'), sync(world, second)], [utility]);
  const fresh = world.meter('fresh');
  chain.must(replace(world, second, fresh, { window: windowAt(chain.time) }), [utility]);
  rpc = new ReadOnlyRpc(chain, base58Encode(sha256(new TextEncoder().encode('genesis'))));
  url = await rpc.start();
});

afterAll(() => rpc.stop());

test('statements by anyone, retirement, a dispute and a replacement: all agrees, and is shown', async () => {
  const { findings: found, figures } = await auditChain(url);
  expect(found).toEqual([]);
  expect(figures).toMatchObject({
    meters: 3,
    minted_wh: '500',
    retired_wh: '200',
    supply_base_units: '300000',
    burned_base_units: '0',
    disputed: 1,
  });
});

test('controls: each altered account is found', async () => {
  const page = pda.meterPage(world.zone, 0);
  const flags = SLOT + 28;
  const cases: [string, PublicKey, (data: Buffer) => void, RegExp][] = [
    [
      'a retirement undone',
      pda.ledgerPage(world.zone, 0),
      (data) => data.writeBigUInt64LE(201n, LEDGER + 16),
      /explain only/,
    ],
    [
      'a dispute without a case',
      page,
      (data) => data.writeUInt16LE(2 | 32, flags + 32),
      /1 is disputed, and there is no case/,
    ],
    [
      'a disputed slot that moved',
      page,
      (data) => data.writeBigUInt64LE(501n, SLOT),
      /0 is disputed, and has moved since/,
    ],
    ['a case at another place', pda.dispute(7, 0, 0), (data) => data.writeUInt16LE(9, 50 - 8), /the dispute of slot/],
    [
      'a replaced meter with a slot',
      pda.meter(world.zone, old.id),
      (data) => data.writeUInt16LE(0, 190),
      /still has a slot/,
    ],
    [
      'a successor that knows nothing',
      pda.meter(world.zone, old.id),
      (data) => data.fill(7, 264, 280),
      /which does not say so/,
    ],
  ];
  for (const [name, address, change, expected] of cases) {
    expect(await findingsAfter(world, url, address, change), name).toMatch(expected);
  }
});
