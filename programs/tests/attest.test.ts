import { buildAttestPage, decodeMeterPage, instructions, pda, SlotFlag } from '@gridtokenx/chain-client';
import { hostileVariants, malformedVariants, problem } from '@gridtokenx/testing-kit/chain/hostile';
import { setFlags, slotAt } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

/** ⌈5,000 W · 0.25 h · 1.1⌉ and 1 Wh of register step. */
const CAP = 1_376n;
const ENROLLED = windowAt(START);
let world: World;

beforeEach(() => {
  world = new World().setUp();
  world.addMeters(4);
  world.chain.time = START + 900 * 10_000;
});

const slot = (index = 0) => slotAt(world, index);

/** Attests one rise of a slot's export. Returns the flags, and true if the slot accepted the rise. */
function raise(window: number, exportRise: bigint, importRise = 0n, index = 0): { taken: boolean; extra: boolean } {
  const before = slot(index);
  const total = { exportWh: before.exportWh + exportRise, importWh: before.importWh + importRise };
  const outcome = world.attest({ window, items: world.items(window, new Map([[index, total]])) });
  expect(outcome.message).toBe('');
  const after = slot(index);
  const taken = after.window === window && before.window < window;
  if (taken) expect(after).toMatchObject(total);
  else expect(after).toEqual(before);
  return { taken, extra: (after.flags & SlotFlag.extra) !== 0 };
}

const flag = (index: number, bits: number, page = 0) => setFlags(world, index, bits, page);

describe('caps', () => {
  test('one window: up to the cap plain, up to twice the cap extra, above skipped', () => {
    expect(raise(ENROLLED + 1, CAP)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 2, CAP + 1n)).toEqual({ taken: true, extra: true });
    expect(raise(ENROLLED + 3, CAP + 1n)).toEqual({ taken: false, extra: true });
    expect(raise(ENROLLED + 3, CAP)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 4, 2n * CAP)).toEqual({ taken: true, extra: true });
    expect(raise(ENROLLED + 5, 0n)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 6, 2n * CAP + 1n)).toEqual({ taken: false, extra: false });
  });

  test('the import has its own cap and shares the flag', () => {
    const cap = 2_751n; // ⌈10,000 W · 0.25 h · 1.1⌉ + 1
    expect(raise(ENROLLED + 1, CAP, cap)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 2, 0n, cap + 1n)).toEqual({ taken: true, extra: true });
    expect(raise(ENROLLED + 3, CAP + 1n, 0n)).toEqual({ taken: false, extra: true });
    expect(raise(ENROLLED + 4, 0n, 4n * cap + 1n)).toEqual({ taken: false, extra: true });
    expect(raise(ENROLLED + 4, CAP, 2n * cap)).toEqual({ taken: true, extra: false });
  });

  test('several windows count, at most 2,880', () => {
    expect(raise(ENROLLED + 5, 5n * CAP)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 8, 3n * CAP + 1n)).toEqual({ taken: true, extra: true });
    expect(raise(ENROLLED + 10, 2n * CAP)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 12, 3n * CAP + 1n)).toEqual({ taken: false, extra: false });
    expect(raise(ENROLLED + 10 + 4_000, 2_881n * CAP + 1n)).toEqual({ taken: false, extra: false });
    expect(raise(ENROLLED + 10 + 4_000, 2_880n * CAP + 1n)).toEqual({ taken: true, extra: true });
    expect(raise(ENROLLED + 10 + 8_000, 2_880n * CAP)).toEqual({ taken: true, extra: false });
  });
});

describe('what is skipped', () => {
  test('a window that is not newer', () => {
    expect(raise(ENROLLED, 1n)).toEqual({ taken: false, extra: false });
    expect(raise(ENROLLED + 3, 1n)).toEqual({ taken: true, extra: false });
    expect(raise(ENROLLED + 3 - 1, 1n).taken).toBe(false);
    const before = slot();
    const again = world.items(ENROLLED + 3, new Map([[0, { exportWh: before.exportWh + 5n, importWh: 0n }]]));
    world.attest({ window: ENROLLED + 3, items: again });
    expect(slot()).toEqual(before);
  });

  test('inactive, disputed and closed slots; the others of the same instruction are taken', () => {
    flag(1, SlotFlag.disputed);
    flag(2, SlotFlag.closed);
    const window = ENROLLED + 1;
    const totals = new Map([0, 1, 2, 3, 9, 255].map((index) => [index, { exportWh: 300n, importWh: 2n }]));
    const outcome = world.attest({ window, items: world.items(window, totals) });
    expect(outcome.message).toBe('');
    const taken = world.meterPage().slots.flatMap((each, index) => (each.window === window ? [index] : []));
    expect(taken).toEqual([0, 3]);
    // The event lists the skipped: bits 1, 2, 9 and 255.
    const event = Buffer.from(
      outcome.logs.find((line) => line.startsWith('Program data: '))?.slice(14) ?? '',
      'base64',
    );
    const skipped = Buffer.alloc(32);
    skipped.writeUInt16LE(0b10_0000_0110, 0);
    skipped[31] = 0x80;
    expect(event.subarray(8 + 2 + 4 + 8 + 4 + 1, 8 + 2 + 4 + 8 + 4 + 1 + 32)).toEqual(skipped);
  });

  test('slots that moved since the read, only when the page moved since', () => {
    const read = world.meterPage();
    expect(slot(0).flags & SlotFlag.moved).not.toBe(0);
    const meter = world.meter('4');
    const enrolled = world.chain.time;
    world.chain.time = START;
    world.chain.must(world.register(meter), world.staff);
    world.chain.must([instructions.activateSlot({ meterId: meter.id, zone: world.zone, page: 0 })]);
    world.chain.time = enrolled;
    const window = ENROLLED + 1;
    const totals = (rise: bigint) => new Map([0, 4].map((index) => [index, { exportWh: rise, importWh: 0n }]));
    world.attest({ window, items: world.items(window, totals(10n)), read });
    expect([slot(0).window, slot(4).window]).toEqual([ENROLLED, ENROLLED]);
    world.attest({ window, items: world.items(window, totals(10n)) });
    expect([slot(0).window, slot(4).window]).toEqual([window, window]);
    expect([slot(0).flags, slot(4).flags]).toEqual([SlotFlag.active, SlotFlag.active]);
    // Cleared by attest_page: on a read with other moves these two are no longer skipped, and the third is.
    const stale = { ...world.meterPage(), moves: 0 };
    const three = new Map([0, 1, 4].map((index) => [index, { exportWh: 20n, importWh: 0n }]));
    world.attest({ window: window + 1, items: world.items(window + 1, three), read: stale });
    expect([0, 1, 4].map((index) => slot(index).window)).toEqual([window + 1, ENROLLED, window + 1]);
  });
});

describe('what aborts', () => {
  const window = ENROLLED + 1;
  const build = () =>
    buildAttestPage({
      zone: world.zone,
      page: 0,
      read: world.meterPage(),
      window,
      items: world.items(window, new Map([[0, { exportWh: 5n, importWh: 5n }]])),
      attestors: world.attestors.slice(0, 2).map((key) => key.publicKey),
    });
  const send = (instruction: TransactionInstruction) => {
    const outcome = world.chain.send([instruction], world.attestors);
    return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
  };

  test('a window that is not over by the chain clock and 60 s', () => {
    world.chain.time = (window + 1) * 900 - 61;
    expect(send(build())).toBe('WindowInFuture');
    world.chain.time = (window + 1) * 900 - 60;
    expect(send(build())).toBe('accepted');
  });

  test('another version: the same bytes a second time', () => {
    const instruction = build();
    expect(send(instruction)).toBe('accepted');
    const after = world.meterPage();
    expect(send(instruction)).toBe('StaleVersion');
    expect(world.meterPage()).toEqual(after);
  });

  test('too few attestors, one counted twice, a stranger, an unsigned one', () => {
    const { programId, keys, data } = build();
    const [page, zone, first, second] = keys;
    if (!page || !zone || !first || !second) throw new Error('four accounts');
    const of = (...list: (typeof first)[]) =>
      new TransactionInstruction({ programId, keys: [page, zone, ...list], data });
    expect(send(of())).toBe('ThresholdNotMet');
    expect(send(of(first))).toBe('ThresholdNotMet');
    expect(send(of(first, first))).toBe('ThresholdNotMet');
    expect(send(of(first, second, { ...first, pubkey: world.payer }))).toBe('UnknownAttestor');
    expect(send(of(first, { ...second, isSigner: false }))).toBe('AccountNotSigner');
    expect(send(of(second, first))).toBe('accepted');
    expect(slot().attestors).toBe(0b11);
  });

  test('attestors of the previous set no longer count', () => {
    const next = [keyOf('next 0'), keyOf('next 1')];
    world.chain.must([world.announceAttestors(next.map((key) => key.publicKey))], [world.authority]);
    world.chain.time += 96 * 900;
    world.chain.must([instructions.installAttestors({ zone: world.zone })]);
    expect(send(build())).toBe('UnknownAttestor');
    const items = world.items(window, new Map([[0, { exportWh: 5n, importWh: 5n }]]));
    expect(world.attest({ window, items, signers: next }).message).toBe('');
    expect(slot()).toMatchObject({ attestors: 0b11, epoch: 2 });
  });

  test('a zone without attestors attests nothing', () => {
    world.chain.must([world.createZone(8)], [world.authority]);
    world.chain.must([instructions.createPage({ payer: world.payer, zone: 8, page: 0 })]);
    const { programId, data } = build();
    const keys = [pda.meterPage(8, 0), pda.zone(8)].map((pubkey, index) => ({
      pubkey,
      isSigner: false,
      isWritable: index === 0,
    }));
    const read = world.chain.get(pda.meterPage(8, 0), decodeMeterPage);
    expect(read.version).toBe(0n);
    const first = Uint8Array.from(data);
    first.fill(0, 8, 20);
    expect(send(new TransactionInstruction({ programId, keys, data: Buffer.from(first) }))).toBe('ThresholdNotMet');
  });

  test('totals that are cut, left over, too long, or none', () => {
    const page = world.meterPage();
    const with_ = (totals: number[], bitmap = 1) =>
      instructions.attestPage({
        zone: world.zone,
        page: 0,
        version: page.version,
        moves: page.moves,
        window,
        root: new Uint8Array(32),
        bitmap: Uint8Array.of(bitmap, ...new Uint8Array(31)),
        totals: Uint8Array.from(totals),
        attestors: world.attestors.slice(0, 2).map((key) => key.publicKey),
      });
    const nine = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0];
    for (const [totals, bitmap] of [
      [[], 1],
      [[5], 1],
      [[0x85], 1],
      [[5, 0x85], 1],
      [[0x85, 0], 1],
      [[5, 5, 0], 1],
      [[5, 5], 3],
      [[5, 5], 0],
      [[5, ...nine.slice(0, 8), 0x80, 0], 1],
      [[...nine.slice(0, 8), 0x80, 0, 5], 1],
    ] as const) {
      expect(send(with_([...totals], bitmap)), `${totals}`).toBe('MalformedInstruction');
    }
    const instruction = with_([5, 5]);
    instruction.data.writeUInt32LE(3, instruction.data.length - 6);
    expect(send(instruction)).toBe('MalformedInstruction');
    expect(slot().window).toBe(ENROLLED);
    // Longer forms than needed are legal; nine groups are the longest.
    expect(send(with_([0x85, 0, ...nine.map((group, index) => (index === 0 ? 0x87 : group))]))).toBe('accepted');
    expect(slot()).toMatchObject({ exportWh: 5n, importWh: 7n });
  });

  test('every wrong account, every malformed form', () => {
    const instruction = build();
    for (const variant of [...hostileVariants(world.chain, instruction), ...malformedVariants(instruction)]) {
      // Attestors are a list of any length, so one account fewer is another error, tested above.
      expect(problem(variant, world.chain.send([variant.instruction], world.attestors))).toBe('');
    }
    expect(send(instruction)).toBe('accepted');
  });

  test('a page of another zone, a page of another number under this read', () => {
    world.chain.must([world.createZone(8)], [world.authority]);
    world.chain.must([instructions.createPage({ payer: world.payer, zone: 8, page: 0 })]);
    const { programId, keys, data } = build();
    const other = keys.map((meta, index) => (index === 0 ? { ...meta, pubkey: pda.meterPage(8, 0) } : meta));
    expect(send(new TransactionInstruction({ programId, keys: other, data }))).toBe('ZoneMismatch');
  });
});
