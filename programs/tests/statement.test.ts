import { foldHistory, instructionDiscriminator, SlotFlag } from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import sign from '@gridtokenx/testing-kit/chain/sign';
import {
  BASELINE,
  dispute,
  refusal,
  type Said,
  setStatus,
  slotAt,
  statementPayload,
  submit,
  sync,
  verification,
} from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { Ed25519Program } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
/** Wh in a window: ⌈5,000 W · 0.25 h · 1.1⌉ and 1 Wh of register step. */
const CAP = 1_376n;
let world: World;
let device: TestMeter;
let gateway: TestMeter;

beforeEach(() => {
  world = new World().setUp();
  [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
  [gateway] = world.addMeters(1, {}, 1) as [TestMeter];
  world.chain.time = START + 900 * 50;
});

const said = (step: number, exportWh: bigint, rest: Partial<Said> = {}): Said => ({
  window: ENROLLED + step,
  exportWh,
  importWh: 7n,
  ...rest,
});
const send = (meter: TestMeter, what: Said) => refusal(world, submit(world, meter, what));

describe('submit_statement', () => {
  test('by a stranger, with all attestors down: the device is believed at once, and its energy minted', () => {
    const stranger = keyOf('stranger');
    world.chain.svm.airdrop(stranger.publicKey.toBytes(), 1_000_000_000n);
    const before = world.meterPage();
    const what = said(1, 300n);
    const outcome = world.chain.send(submit(world, device, what), [stranger], stranger);
    expect(outcome.message).toBe('');
    expect(slotAt(world, 0)).toMatchObject({
      exportWh: 300n,
      importWh: 7n,
      window: what.window,
      flags: SlotFlag.active | SlotFlag.moved | SlotFlag.submitted,
      attestors: 0,
      epoch: 0,
    });
    const after = world.meterPage();
    expect(after).toMatchObject({ version: before.version, moves: before.moves + 1, highestWindow: what.window });
    const tag = instructionDiscriminator('submit_statement');
    const payload = statementPayload(world, device, what);
    expect(after.history).toEqual(foldHistory(before.history, tag, 0, new Uint8Array(0), payload));
    expect(world.mintPage().message).toBe('');
    expect(world.supply()).toBe(300_000n);
  });

  test('a gateway-signed one only when the slot is 96 windows behind the clock', () => {
    world.chain.time = (ENROLLED + 96) * 900 - 1;
    expect(send(gateway, said(1, 300n))).toBe('StatementTooEarly');
    expect(send(device, said(1, 300n))).toBe('accepted');
    world.chain.time = (ENROLLED + 96) * 900;
    expect(send(gateway, said(1, 300n))).toBe('accepted');
    expect(send(gateway, said(2, 300n))).toBe('StatementTooEarly');
    world.chain.time += 900;
    expect(send(gateway, said(2, 300n))).toBe('accepted');
  });

  test('the window: over by the clock and 60 s, newer than the slot, not before the first valid one', () => {
    world.chain.time = (ENROLLED + 6) * 900 - 61;
    expect(send(device, said(5, 1n))).toBe('WindowInFuture');
    world.chain.time = (ENROLLED + 6) * 900 - 60;
    expect(send(device, said(5, 1n))).toBe('accepted');
    expect(send(device, said(5, 2n))).toBe('WindowNotNewer');
    expect(send(device, said(4, 2n))).toBe('WindowNotNewer');
    expect(send(device, said(0, 2n))).toBe('BeforeFirstWindow');
  });

  test('the registers: at least the baseline and the slot, under the caps of attest_page', () => {
    expect(send(device, said(1, -1n))).toBe('RegisterBelowBaseline');
    expect(send(device, said(1, 0n, { importWh: -1n }))).toBe('RegisterBelowBaseline');
    expect(send(device, said(1, 2n * CAP + 1n))).toBe('ExcessiveAmount');
    expect(send(device, said(1, 2n * CAP))).toBe('accepted');
    expect(slotAt(world, 0).flags & SlotFlag.extra).not.toBe(0);
    expect(send(device, said(2, 3n * CAP + 1n))).toBe('ExcessiveAmount');
    expect(send(device, said(2, 3n * CAP))).toBe('accepted');
    expect(slotAt(world, 0).flags & SlotFlag.extra).toBe(0);
    expect(send(device, said(3, 3n * CAP - 1n))).toBe('TotalsFell');
    expect(send(device, said(3, 3n * CAP, { importWh: 6n }))).toBe('TotalsFell');
    const huge = { exportWh: (1n << 64n) - 1n, importWh: BASELINE.importWh + 7n };
    expect(send(device, said(3, 0n, { change: huge }))).toBe('ExcessiveAmount');
    expect(send(device, said(3, 3n * CAP))).toBe('accepted');
  });

  test('the message: this network, this meter, its present key, a quality that is attested, kind 2, version 1', () => {
    expect(send(device, said(1, 1n, { change: { networkId: new Uint8Array(8) } }))).toBe('WrongNetwork');
    expect(send(device, said(1, 1n, { change: { meterId: gateway.id } }))).toBe('UnauthorizedMeter');
    expect(send(device, said(1, 1n, { key: gateway.key }))).toBe('UnauthorizedMeter');
    for (const quality of [1, 2, 8, 0x8001]) {
      expect(send(device, said(1, 1n, { change: { quality } })), `${quality}`).toBe('QualityNotAttestable');
    }
    const [, instruction] = submit(world, device, said(1, 1n));
    if (!instruction) throw new Error('two instructions');
    for (const [at, value] of [
      [0, 0],
      [2, 2],
      [3, 1],
      [3, 4],
    ] as const) {
      const verify = verification(world, device, said(1, 1n));
      const payload = statementPayload(world, device, said(1, 1n));
      payload[at] = value;
      const data = Buffer.from(verify.data);
      data.set(payload, data.length - 96);
      // Signed anew: the precompile must agree before the program judges.
      expect(refusal(world, [resigned(device, data), instruction]), `byte ${at}`).toBe('MalformedMessage');
    }
    expect(refusal(world, [instruction])).toBe('SignatureMissing');
    // Gaps, tampering, a replacement, the gateway's mark and unknown bits do not stop it.
    expect(send(device, said(1, 1n, { change: { quality: 4 | 16 | 32 | 64 | 256 | 0x8000 } }))).toBe('accepted');
  });

  test('the slot: active, not disputed, not closed', () => {
    const stranger = world.meter('nobody');
    expect(send(stranger, said(1, 1n))).toBe('AccountOwnerMismatch');
    world.chain.must([setStatus(world, device, 'suspended')], [world.utility]);
    expect(send(device, said(1, 1n))).toBe('MeterNotActive'); // before sync_slot already
    world.chain.must([sync(world, device)]);
    expect(send(device, said(1, 1n))).toBe('MeterNotActive');
    world.chain.must([setStatus(world, device, 'closed')], [world.utility]);
    world.chain.must([sync(world, device)]);
    expect(send(device, said(1, 1n))).toBe('SlotClosed');
    const evidence = world.meter('evidence');
    const window = windowAt(world.chain.time);
    world.chain.must(world.register(evidence, { message: { role: 1, window } }), world.staff);
    expect(send(evidence, said(1, 1n))).toBe('MeterHasNoSlot');
  });

  test('a disputed slot takes nothing', () => {
    expect(send(device, said(1, 100n))).toBe('accepted');
    world.chain.must(dispute(world, device, 0, said(2, 99n)));
    expect(send(device, said(3, 200n))).toBe('SlotDisputed');
  });

  test('every wrong account, every malformed form', () => {
    const [verify, instruction] = submit(world, device, said(1, 5n));
    if (!verify || !instruction) throw new Error('two instructions');
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      expect(problem(variant, world.chain.send([verify, variant.instruction]))).toBe('');
    }
    expect(slotAt(world, 0).window).toBe(ENROLLED);
    expect(refusal(world, [verify, instruction])).toBe('accepted');
  });
});

/** Builds the precompile's instruction over other bytes of the same length, signed by the meter's key. */
function resigned(meter: TestMeter, data: Buffer) {
  const message = data.subarray(data.length - 115);
  return Ed25519Program.createInstructionWithPublicKey({
    publicKey: meter.key.publicKey.toBytes(),
    message,
    signature: sign(meter.key, message),
  });
}

describe('races of submit_statement against attest_page', () => {
  /** The device's signed totals by step. They only rise. */
  const truth = [0n, 100n, 250n, 400n, 900n];
  const honest = (step: number) => said(step, truth[step] ?? 0n, { importWh: BigInt(step) });
  type Action = { readonly kind: 'submit' | 'attest' | 'attest on an old read'; readonly step: number };

  function act(action: Action, old: ReturnType<World['meterPage']>): void {
    const what = honest(action.step);
    if (action.kind === 'submit') {
      refusal(world, submit(world, device, what));
      return;
    }
    const read = action.kind === 'attest' ? world.meterPage() : old;
    const total = { exportWh: what.exportWh, importWh: what.importWh };
    if ((read.slots[0]?.exportWh ?? 0n) > total.exportWh) return; // a sender never builds such a rise
    const items = world.items(what.window, new Map([[0, total]]));
    world.attest({ window: what.window, items, read });
  }

  /** Checks that the slot has the totals of one signed statement, for exactly its window. */
  function check(): void {
    const slot = slotAt(world, 0);
    const signedTotal = honest(slot.window - ENROLLED);
    const expected = slot.window === ENROLLED ? { exportWh: 0n, importWh: 0n } : signedTotal;
    expect([slot.exportWh, slot.importWh]).toEqual([expected.exportWh, expected.importWh]);
  }

  function permutations<T>(list: readonly T[]): T[][] {
    if (list.length < 2) return [[...list]];
    return list.flatMap((item, index) =>
      permutations(list.filter((_, other) => other !== index)).map((rest) => [item, ...rest]),
    );
  }

  const cases: [string, Action[]][] = [
    [
      'withheld statements that come later, and an older window with a higher register',
      [
        { kind: 'submit', step: 1 },
        { kind: 'submit', step: 3 },
        { kind: 'attest', step: 2 },
        { kind: 'attest', step: 4 },
      ],
    ],
    [
      'an attestation built before the slot moved',
      [
        { kind: 'submit', step: 1 },
        { kind: 'attest on an old read', step: 2 },
        { kind: 'attest on an old read', step: 3 },
        { kind: 'submit', step: 4 },
      ],
    ],
    [
      'both for the same windows',
      [
        { kind: 'submit', step: 2 },
        { kind: 'attest', step: 2 },
        { kind: 'attest on an old read', step: 2 },
        { kind: 'submit', step: 3 },
      ],
    ],
  ];
  test.each(cases)('%s: in every order the page shows what one statement says', (_, actions) => {
    const origin = world;
    for (const order of permutations(actions)) {
      world = origin.fork();
      const old = world.meterPage();
      for (const action of order) {
        act(action, old);
        check();
      }
      expect(slotAt(world, 0).window).toBeGreaterThan(ENROLLED);
    }
  });

  test('control: an attestation of the same old read, but with the moves of now, would show what nobody signed', () => {
    const old = world.meterPage();
    refusal(world, submit(world, device, said(1, 200n)));
    const items = world.items(ENROLLED + 2, new Map([[0, { exportWh: 100n, importWh: 7n }]]));
    world.attest({ window: ENROLLED + 2, items, read: old });
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 200n, window: ENROLLED + 1 });
    // With the right moves, the low bits of 100 after 200 mean 228. The rule of moved slots prevented that.
    world.attest({ window: ENROLLED + 2, items, read: { ...old, moves: old.moves + 1, version: old.version + 1n } });
    expect(slotAt(world, 0)).toMatchObject({ exportWh: 228n, window: ENROLLED + 2 });
  });
});
