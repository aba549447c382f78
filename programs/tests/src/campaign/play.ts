import { decodeDispute, decodeMeter, instructions, type Meter, pda, UserRole } from '@gridtokenx/chain-client';
import { hostileChoices } from '../hostile.js';
import { START, World, windowAt } from '../world.js';
import { Driver, flagsOf, folded, type Identity, named, readPage, type Sending, slotBytes } from './driver.js';
import { Generator } from './generate.js';
import { Model } from './model.js';
import { CAP, type Outcome as Expected, type ModelMeter, type Rule } from './model-state.js';
import type { Op } from './ops.js';
import { Random } from './random.js';

const METERS = 8;
const SPARES = 3;
const ENROLLED = windowAt(START);
const BEGIN = START + 900 * 12;
const OWNERS = ['owner', 'neighbour'] as const;
const ownerOf = (index: number) => OWNERS[index % 2] ?? 'owner';
const isDeviceSigned = (index: number) => index % 4 !== 3;

/** What an episode came to. */
export interface Episode {
  /** Why it failed, in words; undefined when chain and model agreed to the end. */
  readonly fault: string | undefined;
  readonly figures: Readonly<Record<string, number>>;
}

/** A difference between the chain and the model. */
class Difference extends Error {
  override readonly name = 'Difference';
}

const show = (value: unknown) =>
  JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));

interface Origin {
  readonly world: World;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly spare: readonly (readonly string[])[];
}
let made: Origin | undefined;

/** The chain that every episode starts from; made once in a process. */
function origin(): Origin {
  if (made) return made;
  const world = new World().setUp();
  const neighbour = named('neighbour');
  world.chain.must([world.registerUser(neighbour.publicKey, UserRole.owner)], [world.utility]);
  const identities = new Map<string, Identity>();
  const spare: string[][] = [];
  for (let index = 0; index < METERS; index++) {
    const owner = named(ownerOf(index));
    const [meter] = world.addMeters(1, { owner, message: { deviceSigned: isDeviceSigned(index) } }, index);
    if (!meter) throw new Error('a meter');
    const identity = (id: Uint8Array): Identity => ({ id, commitment: meter.commitment, owner: ownerOf(index) });
    identities.set(`${index}`, identity(meter.id));
    const names = Array.from({ length: SPARES }, (_, nth) => `${index}.${nth}`);
    for (const name of names) identities.set(name, identity(world.meter(name).id));
    spare.push(names);
  }
  for (const name of OWNERS) {
    const owner = named(name).publicKey;
    world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
  }
  made = { world, identities, spare };
  return made;
}

function newModel(off: Rule | undefined, page: ReturnType<World['meterPage']>): Model {
  const model = new Model(BEGIN, off);
  model.moves = page.moves;
  for (let index = 0; index < METERS; index++) {
    model.meters.set(`${index}`, {
      name: `${index}`,
      owner: ownerOf(index),
      deviceSigned: isDeviceSigned(index),
      key: `meter key ${index}`,
      previousKey: undefined,
      previousLast: 0,
      keyEpoch: 0,
      rotated: 0,
      firstValid: ENROLLED + 1,
      baseline: { exportWh: 2_000n, importWh: 1_000n },
      carried: { exportWh: 0n, importWh: 0n },
      status: 'active',
      slot: index,
      acceptedDispute: 0,
    });
    model.slots.push({
      exportWh: 0n,
      importWh: 0n,
      window: ENROLLED,
      active: true,
      suspended: false,
      closed: false,
      disputed: false,
      extra: false,
      moved: true,
      attestors: 0,
      epoch: 0,
      mintedWh: 0n,
      pooledWh: 0n,
      retiredWh: 0n,
      toWallet: index % 3 === 0,
    });
  }
  return model;
}

/** One chain and one model that get the same ops. */
class Play {
  readonly #world: World;
  readonly #model: Model;
  readonly #driver: Driver;
  readonly #random: Random;
  readonly #generator: Generator;
  readonly #watched: readonly Parameters<World['balance']>[0][];
  readonly #balances: readonly Parameters<World['balance']>[0][];
  readonly #meters: ReadonlyMap<string, Parameters<World['balance']>[0]>;
  readonly #cases: readonly Parameters<World['balance']>[0][];
  readonly #recent: Op[] = [];
  readonly #later: Op[] = [];
  readonly figures: Record<string, number> = {};
  #history: Uint8Array;
  #levels: readonly bigint[] = [];
  sent = 0;

  constructor(seed: bigint, off: Rule | undefined) {
    const { world, identities, spare } = origin();
    this.#world = world.fork();
    this.#world.chain.time = BEGIN;
    const { zone } = world;
    for (let index = 0; index < METERS; index += 3) this.#toWallet(`${index}`, identities);
    const page = this.#world.meterPage();
    this.#model = newModel(off, page);
    this.#model.highest = page.highestWindow;
    this.#history = page.history;
    this.#driver = new Driver(this.#world, identities);
    this.#random = new Random(seed);
    this.#generator = new Generator(this.#model, this.#random, spare);
    this.#balances = [pda.poolVault(), ...OWNERS.map((name) => pda.ownerTokenAccount(named(name).publicKey))];
    this.#meters = new Map([...identities].map(([name, { id }]) => [name, pda.meter(id)]));
    this.#cases = Array.from({ length: METERS }, (_, slot) => pda.dispute(zone, 0, slot));
    const pages = [pda.meterPage(zone, 0), pda.ledgerPage(zone, 0), pda.mint()];
    this.#watched = [...pages, ...this.#balances, ...this.#meters.values(), ...this.#cases];
  }

  #toWallet(name: string, identities: ReadonlyMap<string, Identity>): void {
    const found = identities.get(name);
    if (!found) throw new RangeError(name);
    const by = named(found.owner);
    const { zone } = this.#world;
    const args = { owner: by.publicKey, meterId: found.id, zone, page: 0, destination: 'wallet' } as const;
    this.#world.chain.must([instructions.setDestination(args)], [by]);
  }

  #count(name: string): void {
    this.figures[name] = (this.figures[name] ?? 0) + 1;
  }

  /** All accounts that anything here could change. */
  #bytes(): string {
    return this.#watched
      .map((key) => Buffer.from(this.#world.chain.account(key)?.data ?? []).toString('base64'))
      .join();
  }

  /** The next op: new, one from before again, or one that was held back. */
  #next(): Op {
    const random = this.#random;
    if (this.#later.length > 0 && random.oneIn(10)) {
      this.#count('reordered');
      return this.#later.splice(random.below(this.#later.length), 1)[0] as Op;
    }
    if (this.#recent.length > 0 && random.oneIn(7)) {
      this.#count('replayed');
      return random.pick(this.#recent);
    }
    const op = this.#generator.next();
    if (op.kind !== 'clock' && random.oneIn(10)) this.#later.push(op);
    return op;
  }

  step(): void {
    const op = this.#next();
    if (op.kind === 'clock') {
      this.#model.apply(op);
      this.#world.chain.time = this.#model.time;
      return;
    }
    if (this.#recent.push(op) > 60) this.#recent.shift();
    if (this.#random.oneIn(6)) this.#hostile(op);
    const accepted = this.#both(op);
    if (accepted && this.#random.oneIn(3)) this.#again(op);
  }

  #sending(op: Exclude<Op, { kind: 'clock' }>): Sending {
    const meter = 'meter' in op ? this.#model.meters.get(op.meter) : undefined;
    const place = { slot: meter?.slot ?? -1, deviceSigned: meter?.deviceSigned ?? false };
    return this.#driver.sending(op, this.#world.meterPage(), place);
  }

  /** The op on both; returns whether it was accepted. */
  #both(op: Exclude<Op, { kind: 'clock' }>): boolean {
    if ('meter' in op && !this.#model.meters.has(op.meter)) return false; // held back from before a replacement
    const sending = this.#sending(op);
    const expected = this.#model.apply(op);
    const outcome = this.#driver.send(sending);
    this.sent++;
    this.#count(`${op.kind} ${outcome.ok ? 'accepted' : 'refused'}`);
    if (outcome.ok !== (expected !== 'refused')) {
      const said = outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
      throw new Difference(`chain: ${said}, model: ${show(expected)}\n${show(op)}`);
    }
    this.#fold(op, sending, expected);
    this.#compare(op);
    return outcome.ok;
  }

  #fold(op: Op, sending: Sending, expected: Expected): void {
    if (typeof expected === 'string') return;
    const payload = 'said' in op ? this.#driver.payload(op.said) : new Uint8Array(0);
    const slot = expected.slot === undefined ? undefined : this.#model.slots[expected.slot];
    const written = slot ? slotBytes(slot, CAP) : new Uint8Array(0);
    this.#history = folded(this.#history, sending, expected, payload, written);
  }

  /** Sent twice, what anyone may send changes nothing the second time (invariant 5). */
  #again(op: Exclude<Op, { kind: 'clock' }>): void {
    if (!['attest', 'submit', 'mintPage', 'mintMeter', 'sync'].includes(op.kind)) return;
    const before = this.#bytes();
    this.#both(op);
    this.#count('sent twice');
    if (this.#bytes() !== before) throw new Difference(`the second time it changed something\n${show(op)}`);
  }

  /** The op with one account wrong: refused, and nothing has changed. */
  #hostile(op: Exclude<Op, { kind: 'clock' }>): void {
    if ('meter' in op && !this.#model.meters.has(op.meter)) return;
    if (op.kind === 'attest' && op.signers === 0b111) return; // two of the three are enough, however the third is spoilt
    const { instructions: list, signers } = this.#sending(op);
    const last = list.at(-1);
    if (!last) return;
    const variant = this.#random.pick(hostileChoices(this.#world.chain, last))();
    const before = this.#bytes();
    const outcome = this.#driver.send({ instructions: [...list.slice(0, -1), variant.instruction], signers });
    this.sent++;
    this.#count('hostile accounts');
    // A mint that has nothing to mint never comes to look at the mint's authority.
    const maySucceed = op.kind === 'mintPage' || op.kind === 'mintMeter';
    if ((outcome.ok && !maySucceed) || this.#bytes() !== before) {
      throw new Difference(`${variant.name}: ${outcome.ok ? 'accepted' : 'changed something'}\n${show(op)}`);
    }
  }

  #expect(what: string, found: unknown, expected: unknown, op: Op): void {
    if (show(found) !== show(expected)) {
      throw new Difference(`${what}\nchain ${show(found)}\nmodel ${show(expected)}\nafter ${show(op)}`);
    }
  }

  /** The chain is what the model says, and invariants 1 to 3 hold on the chain by themselves. */
  #compare(op: Op): void {
    const [world, model] = [this.#world, this.#model];
    const page = readPage(world, pda.meterPage(world.zone, 0));
    const ledger = world.ledgerPage();
    const head = { version: page.version, moves: page.moves, highest: page.highestWindow };
    this.#expect('page', head, { version: model.version, moves: model.moves, highest: model.highest }, op);
    this.#expect('history', Buffer.from(page.history).toString('hex'), Buffer.from(this.#history).toString('hex'), op);
    let [minted, pooled, retired] = [0n, 0n, 0n];
    const levels = [page.version, BigInt(page.moves), BigInt(page.highestWindow)];
    for (const [index, expected] of model.slots.entries()) {
      const [meter, cursor] = [page.slots[index], ledger.slots[index]];
      if (!meter || !cursor) throw new Difference(`slot ${index} is missing`);
      const { exportWh, importWh, window, attestors, epoch, mintedWh, pooledWh, retiredWh } = expected;
      const found = [meter.exportWh, meter.importWh, meter.window, meter.attestors, meter.epoch, meter.flags];
      this.#expect(`slot ${index}`, found, [exportWh, importWh, window, attestors, epoch, flagsOf(expected)], op);
      const toWallet = cursor.destination === 'wallet';
      const cursors = [cursor.mintedWh, cursor.pooledWh, cursor.retiredWh, toWallet];
      this.#expect(`cursors of slot ${index}`, cursors, [mintedWh, pooledWh, retiredWh, expected.toWallet], op);
      if (cursor.mintedWh > meter.exportWh || cursor.retiredWh > meter.importWh || cursor.pooledWh > cursor.mintedWh)
        throw new Difference(`invariant 2: slot ${index}\nafter ${show(op)}`);
      minted += cursor.mintedWh;
      pooled += cursor.pooledWh;
      retired += cursor.retiredWh;
      levels.push(meter.exportWh, meter.importWh, BigInt(meter.window), ...[cursor.mintedWh, cursor.pooledWh]);
      levels.push(cursor.retiredWh);
    }
    const balances = this.#balances.map((key) => world.balance(key));
    this.#expect('balances', balances, [model.vault, ...OWNERS.map((name) => model.balance(name))], op);
    const supply = world.supply();
    const held = balances.reduce((sum, value) => sum + value, 0n);
    if (supply !== (minted - retired) * 1_000n || supply !== held || balances[0] !== pooled * 1_000n)
      throw new Difference(`invariant 1: supply ${supply}, held ${held}, minted ${minted}, retired ${retired}`);
    if (this.#levels.some((level, index) => (levels[index] ?? 0n) < level))
      throw new Difference(`invariant 3: something fell\nafter ${show(op)}`);
    this.#levels = levels;
    this.#records(op);
  }

  /** The registry's record and the slot's case, where the op could have changed them. */
  #records(op: Op): void {
    if (op.kind === 'status' || op.kind === 'rotate') this.#record(op.meter, op);
    if (op.kind === 'replace') {
      this.#record(op.meter, op);
      if (this.#model.meters.has(op.next)) this.#record(op.next, op);
    }
    if (op.kind !== 'dispute' && op.kind !== 'answer' && op.kind !== 'conclude') return;
    const slot = this.#model.meters.get(op.meter)?.slot;
    const address = slot === undefined ? undefined : this.#cases[slot];
    const account = address && this.#world.chain.account(address);
    const expected = slot === undefined ? undefined : this.#model.cases.get(slot);
    const found = account && account.data.length > 0 ? decodeDispute(account) : undefined;
    this.#expect('case', found?.number, expected?.number, op);
    if (!found || !expected) return;
    const total = { exportWh: found.slotExportWh, importWh: found.slotImportWh };
    const { number, openedWindow, slotWindow, attestors, verdict } = found;
    const chain = [number, openedWindow, slotWindow, total, attestors, verdict];
    const model = [expected.number, expected.opened, expected.window, expected.total];
    this.#expect('case', chain, [...model, expected.attestors, expected.verdict], op);
  }

  #record(name: string, op: Op): void {
    const address = this.#meters.get(name);
    if (!address) throw new RangeError(name);
    const found = recordOf(this.#world.chain.get(address, decodeMeter));
    this.#expect(`meter ${name}`, found, expectedRecord(this.#model.meter(name)), op);
  }

  finish(): void {
    for (const name of this.#model.meters.keys()) this.#record(name, { kind: 'clock', seconds: 0 });
    for (const found of this.#model.cases.values()) this.#count(`verdict ${found.verdict}`);
  }
}

const STATUS = ['none', 'active', 'suspended', 'closed', 'replaced'];

function recordOf(meter: Meter): unknown[] {
  return [
    meter.deviceKey.toBase58(),
    meter.previousKeyLastWindow,
    meter.keyEpoch,
    meter.lastRotationWindow,
    meter.firstValidWindow,
    [meter.baselineExportWh, meter.baselineImportWh, meter.carriedExportWh, meter.carriedImportWh],
    STATUS[meter.status],
    meter.slot === 0xffff ? 'no slot' : meter.slot,
    meter.acceptedDispute,
  ];
}

function expectedRecord(meter: ModelMeter): unknown[] {
  const { baseline, carried } = meter;
  return [
    named(meter.key).publicKey.toBase58(),
    meter.previousLast,
    meter.keyEpoch,
    meter.rotated,
    meter.firstValid,
    [baseline.exportWh, baseline.importWh, carried.exportWh, carried.importWh],
    meter.status,
    meter.slot ?? 'no slot',
    meter.acceptedDispute,
  ];
}

/** Plays one episode of at least so many instructions; the same seed and rule do the same. */
export function playEpisode(seed: bigint, instructionCount: number, off?: Rule): Episode {
  const play = new Play(seed, off);
  let fault: string | undefined;
  try {
    while (play.sent < instructionCount) play.step();
    play.finish();
  } catch (error) {
    if (!(error instanceof Difference)) throw error;
    fault = `seed ${seed}, instruction ${play.sent}: ${error.message}`;
  }
  return { fault, figures: { ...play.figures, instructions: play.sent } };
}
