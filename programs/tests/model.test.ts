import { instructions, pda, SlotFlag } from '@gridtokenx/chain-client';
import { Model, type Rules, TRUE_RULES } from '@gridtokenx/testing-kit/chain/model';
import { START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const METERS = 6;
const ENROLLED = windowAt(START);
const [EXPORT_CAP, IMPORT_CAP] = [1_376n, 2_751n];

type Step =
  | {
      kind: 'attest';
      advance: number;
      rises: { slot: number; exportWh: bigint; importWh: bigint }[];
      stale: boolean;
      twice: boolean;
    }
  | { kind: 'mintPage' }
  | { kind: 'mintMeter'; slot: number }
  | { kind: 'destination'; slot: number; wallet: boolean }
  | { kind: 'dispute'; slot: number; on: boolean };

/** Rises around the caps of one to three windows, small ones, none, and ones far above. */
const rise = (cap: bigint) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: cap }) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.bigInt({ min: 1n, max: 4n }), fc.bigInt({ min: -1n, max: 1n }))
        .map(([n, d]) => n * cap + d),
    },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 1n << 40n }) },
  );
const slot = fc.nat(METERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('attest' as const),
      advance: fc.integer({ min: -1, max: 4 }),
      rises: fc.uniqueArray(
        fc.record({ slot: fc.nat(METERS), exportWh: rise(EXPORT_CAP), importWh: rise(IMPORT_CAP) }),
        {
          minLength: 1,
          maxLength: METERS + 1,
          selector: (entry) => entry.slot,
        },
      ),
      stale: fc.nat(5).map((value) => value === 0),
      twice: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'mintPage' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mintMeter' as const), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('destination' as const), slot, wallet: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dispute' as const), slot, on: fc.boolean() }) },
);

/** The chain from which every run starts. A fork costs less than a setup. */
const origin = new World().setUp();
const meters: TestMeter[] = origin.addMeters(METERS);
origin.chain.must([instructions.createOwnerTokenAccount({ payer: origin.payer, owner: origin.owner.publicKey })]);
origin.chain.time = START + 900 * 20_000;

/** One chain and one model that get the same steps. */
class Pair {
  readonly world = origin.fork();
  readonly model: Model;
  #window = ENROLLED + 1;

  constructor(rules: Rules) {
    this.model = new Model(METERS, ENROLLED, EXPORT_CAP, IMPORT_CAP, rules);
  }

  run(step: Step): void {
    const { world, model } = this;
    switch (step.kind) {
      case 'attest':
        this.#attest(step);
        return;
      case 'mintPage':
        expect(world.mintPage().message).toBe('');
        model.mintPage();
        return;
      case 'mintMeter': {
        const { id, owner } = this.#meter(step.slot);
        world.chain.must([instructions.mintMeter({ meterId: id, owner: owner.publicKey, zone: world.zone, page: 0 })]);
        model.mintMeter(step.slot);
        return;
      }
      case 'destination': {
        const { id, owner } = this.#meter(step.slot);
        const destination = step.wallet ? 'wallet' : 'pool';
        const to = instructions.setDestination({
          owner: owner.publicKey,
          meterId: id,
          zone: world.zone,
          page: 0,
          destination,
        });
        world.chain.must([to], [owner]);
        model.at(step.slot).toWallet = step.wallet;
        return;
      }
      case 'dispute':
        this.#dispute(step.slot, step.on);
    }
  }

  #meter(index: number): TestMeter {
    const meter = meters[index];
    if (!meter) throw new RangeError(`meter ${index}`);
    return meter;
  }

  #attest(step: Extract<Step, { kind: 'attest' }>): void {
    const { world, model } = this;
    this.#window = Math.max(ENROLLED, this.#window + step.advance);
    const window = this.#window;
    const read = world.meterPage();
    const rises = new Map(step.rises.map((entry) => [entry.slot, entry]));
    const totals = new Map(
      step.rises.map(({ slot, exportWh, importWh }) => {
        const before = read.slots[slot];
        return [slot, { exportWh: (before?.exportWh ?? 0n) + exportWh, importWh: (before?.importWh ?? 0n) + importWh }];
      }),
    );
    const items = world.items(window, totals);
    const built = { window, items, read: step.stale ? { ...read, version: read.version + 1n } : read };
    for (let time = 0; time < (step.twice ? 2 : 1); time++) {
      const accepted = model.attest(built.read.version, window, rises);
      expect(world.attest(built).error?.name).toBe(accepted ? undefined : 'StaleVersion');
    }
  }

  /** Sets the flag past the dispute instructions, which the campaign uses. */
  #dispute(index: number, on: boolean): void {
    const address = pda.meterPage(this.world.zone, 0);
    const account = this.world.chain.account(address);
    if (!account) throw new Error('no page');
    const data = Uint8Array.from(account.data);
    const at = 96 + 32 * index + 28;
    data[at] = on ? (data[at] ?? 0) | SlotFlag.disputed : (data[at] ?? 0) & ~SlotFlag.disputed;
    this.world.chain.put(address, { owner: account.owner, data });
    this.model.at(index).disputed = on;
  }

  /** Checks that the chain equals the model, and that invariants 1 and 2 hold on the chain alone. */
  check(): void {
    const { world, model } = this;
    const page = world.meterPage();
    const ledger = world.ledgerPage();
    expect(page.version).toBe(model.version);
    for (const [index, expected] of model.slots.entries()) {
      const [meter, cursor] = [page.slots[index], ledger.slots[index]];
      if (!meter || !cursor) throw new Error(`slot ${index}`);
      const { exportWh, importWh, window, mintedWh, pooledWh } = expected;
      expect({ ...meter, extra: (meter.flags & SlotFlag.extra) !== 0 }).toMatchObject({
        exportWh,
        importWh,
        window,
        extra: expected.extra,
      });
      expect(cursor).toMatchObject({ mintedWh, pooledWh, destination: expected.toWallet ? 'wallet' : 'pool' });
    }
    const sum = (pick: (entry: (typeof ledger.slots)[number]) => bigint) =>
      ledger.slots.reduce((total, entry) => total + pick(entry), 0n);
    const [vault, wallet] = [
      world.balance(pda.poolVault()),
      world.balance(pda.ownerTokenAccount(world.owner.publicKey)),
    ];
    expect([vault, wallet]).toEqual([model.vault, model.wallets]);
    expect(world.supply()).toBe(sum((entry) => entry.mintedWh) * 1_000n);
    expect(world.supply()).toBe(vault + wallet);
    expect(vault).toBe(sum((entry) => entry.pooledWh) * 1_000n);
    for (const [index, entry] of ledger.slots.entries()) {
      expect(entry.mintedWh <= (page.slots[index]?.exportWh ?? 0n)).toBe(true);
      expect(entry.pooledWh <= entry.mintedWh).toBe(true);
    }
  }

  /** Returns every value that must never fall (invariant 3). */
  levels(): bigint[] {
    const page = this.world.meterPage();
    const ledger = this.world.ledgerPage();
    return [
      page.version,
      BigInt(page.moves),
      BigInt(page.highestWindow),
      ...page.slots.slice(0, METERS).flatMap((entry) => [entry.exportWh, entry.importWh, BigInt(entry.window)]),
      ...ledger.slots.slice(0, METERS).flatMap((entry) => [entry.mintedWh, entry.pooledWh]),
    ];
  }
}

function play(steps: readonly Step[], rules: Rules): void {
  const pair = new Pair(rules);
  let levels = pair.levels();
  for (const step of steps) {
    pair.run(step);
    pair.check();
    const next = pair.levels();
    for (const [index, value] of next.entries()) expect(value >= (levels[index] ?? 0n), `level ${index}`).toBe(true);
    levels = next;
  }
}

const steps = fc.array(step, { minLength: 8, maxLength: 20 });
const RUNS = Number(process.env.GTX_RUNS ?? 40);

describe('attest and mint against the reference model', () => {
  test(`any ${RUNS} sequences: the chain is what the model says, invariants 1 to 3 hold after every step`, () => {
    fc.assert(
      fc.property(steps, (sequence) => play(sequence, TRUE_RULES)),
      { numRuns: RUNS, seed: 20_261_121 },
    );
  });

  test.each(Object.keys(TRUE_RULES))('control: a model without the rule "%s" is caught', (rule) => {
    const broken = { ...TRUE_RULES, [rule]: false };
    const found = fc.check(
      fc.property(steps, (sequence) => play(sequence, broken)),
      { numRuns: RUNS, seed: 20_261_121, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
