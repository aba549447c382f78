import { instructions, pda } from '@gridtokenx/chain-client';
import { base58Encode, sha256 } from '@gridtokenx/protocol';
import { findingsAfter } from '@gridtokenx/testing-kit/chain/audit';
import { ReadOnlyRpc } from '@gridtokenx/testing-kit/chain/rpc';
import { reactivate, replace, setStatus, slotAt, submit, sync } from '@gridtokenx/testing-kit/chain/telemetry';
import { START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditChain } from '../src/main.js';

// Tests for energy that no line can have carried: an auditor once made 10^12 GXT, and this check said "Everything
// agrees".

const ENROLLED = windowAt(START);
/** ⌈5,000 W · 0.25 h · 1.1⌉ and a step of 1 Wh. */
const CAP = 1_376n;
const SLOT = 96;
const LEDGER = 64;
let world: World;
let rpc: ReadOnlyRpc;
let url: string;
let fresh: TestMeter;

beforeAll(async () => {
  world = new World().setUp();
  const [first, second] = world.addMeters(3, { message: { deviceSigned: true } });
  if (!first || !second) throw new Error('meters');
  const { chain, zone, utility } = world;
  chain.time = START + 900 * 20;
  for (const step of [1, 2, 3]) {
    const total = { exportWh: CAP * BigInt(step), importWh: 7n };
    const totals = new Map([0, 2].map((slot) => [slot, total]));
    expect(world.attest({ window: ENROLLED + step, items: world.items(ENROLLED + step, totals) }).message).toBe('');
  }
  chain.must(submit(world, second, { window: ENROLLED + 5, exportWh: 500n, importWh: 300n }));
  chain.must([instructions.mintPage({ zone, page: 0 })]);
  chain.must([setStatus(world, first, 'suspended'), sync(world, first)], [utility]);
  const said = { window: ENROLLED + 8, exportWh: CAP * 5n, importWh: 7n };
  chain.must([...reactivate(world, first, said), sync(world, first)], [utility]);
  chain.must([setStatus(world, second, 'suspended'), sync(world, second)], [utility]);
  fresh = world.meter('fresh');
  chain.must([...replace(world, second, fresh, { window: windowAt(chain.time) }), sync(world, fresh)], [utility]);
  world.register(world.meter('waits'));
  const waiting = world.register(world.meter('waits'), { pending: true, message: { window: ENROLLED + 20 } });
  chain.must(waiting, world.staff);
  rpc = new ReadOnlyRpc(chain, base58Encode(sha256(new TextEncoder().encode('genesis'))));
  url = await rpc.start();
});

afterAll(() => rpc.stop());

test('full power in every window, a suspension, a replacement and a meter that waits: all agrees', async () => {
  expect((await auditChain(url)).findings).toEqual([]);
  expect(slotAt(world, 0).exportWh).toBe(CAP * 3n);
});

test('controls: energy beyond enrolment, caps, capacity and budget is found', async () => {
  const page = pda.meterPage(world.zone, 0);
  const ledger = pda.ledgerPage(world.zone, 0);
  const record = (name: string) => pda.meter(world.zone, world.meter(name).id);
  const put = (at: number, value: bigint) => (data: Buffer) => data.writeBigUInt64LE(value, at);
  const carriedExport = 8 + 16 + 5 * 32 + 8 + 8 * 4 + 3 * 8;
  const cases: [string, PublicKey, (data: Buffer) => void, RegExp][] = [
    ['10^12 GXT in a slot', page, put(SLOT + 64, 10n ** 15n), /slot 7\/0\/2: export_wh is 10{15}, 3 windows/],
    ['one Wh above the caps', page, put(SLOT + 64, CAP * 4n + 1n), /allow 5504/],
    ['import above the caps', page, put(SLOT + 64 + 8, 3_000n * 4n), /import_wh is 12000/],
    ['energy in the window of the enrolment', page, (data) => data.writeUInt32LE(ENROLLED, SLOT + 64 + 16), /allow 0/],
    ['a cap that no limit gives', page, (data) => data.writeUInt32LE(9_999, SLOT + 64 + 20), /has a cap of 9999 Wh/],
    ['totals carried into a first record', record('2'), put(carriedExport, 5n), /carries 5 Wh that no slot has had/],
    ['more carried than the slot has', record('0'), put(carriedExport, CAP * 3n + 1n), /its record carries 4129 Wh/],
    ['a pending meter with a limit', record('waits'), (data) => data.writeUInt32LE(1, 192), /was never confirmed/],
    ['a zone that confirmed more', pda.zone(7), put(592 - 64, 1n), /counts 1 W of confirmed export/],
    ['a zone with less capacity', pda.zone(7), put(40, 15_011n), /its capacity is 15011 W/],
    ['a budget that was spent less', pda.budget(7), put(8, 1n), /counts 1 Wh, its slots have minted 8756 Wh/],
    ['a cursor beyond the budget', ledger, put(LEDGER, CAP * 3n + 1n), /its slots have minted 8757 Wh/],
    ['a budget that began before any meter', pda.budget(7), (data) => data.writeUInt32LE(0, 16), /begins in window 0/],
    ['a budget beyond its pages', pda.budget(7), (data) => data.writeUInt32LE(ENROLLED + 9, 20), /goes to window/],
    [
      'a budget of no windows',
      pda.budget(7),
      (data) => data.writeUInt32LE(ENROLLED + 4, 20),
      /its capacity allows 0 Wh/,
    ],
  ];
  for (const [name, address, change, expected] of cases)
    expect(await findingsAfter(world, url, address, change), name).toMatch(expected);
});
