import { foldHistory } from '@gridtokenx/chain-client';
import type { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { Random64 } from '@gridtokenx/testing-kit/random';
import { caseAddress, pointAddress, recordAddress, userAddress } from './addresses.js';
import { apply } from './apply.js';
import type { Sending } from './built.js';
import { Comparison, show, slotBytes } from './compare.js';
import { Driver } from './driver.js';
import { Generator } from './generate.js';
import { hostileVariant } from './hostile-ops.js';
import { Invariants } from './invariants.js';
import { type Model, zoneOf } from './model.js';
import type { Outcome, Rule } from './model-state.js';
import type { Instruction, Op } from './ops.js';
import { modelOf, origin } from './origin.js';
import { SABOTAGES, type Sabotage, sabotage } from './sabotage.js';
import { Snapshot } from './snapshot.js';

/** The result of an episode. */
export interface Episode {
  /** The reason of its failure, in words; undefined when chain and model agreed to the end. */
  readonly fault: string | undefined;
  readonly figures: Readonly<Record<string, number>>;
}

/** A rule that the model lacks, or a way in which the chain is changed behind the programs' backs. */
export type Broken = Rule | Sabotage;

/** Reports a difference between the chain and the model, or a broken invariant. */
class Difference extends Error {
  override readonly name = 'Difference';
}

const MAX_RECENT = 60;
/** Ops that anyone may send, so a second send must change nothing. */
const ANYONES: ReadonlySet<Op['kind']> = new Set(['attest', 'submit', 'mintPage', 'mintMeter', 'sync', 'activate']);
const isSabotage = (broken: Broken | undefined): broken is Sabotage => SABOTAGES.some((kind) => kind === broken);

/** Runs the same ops on one chain and one model. */
class Play {
  readonly #chain: Chain;
  readonly #model: Model;
  readonly #driver: Driver;
  readonly #random: Random64;
  readonly #generator: Generator;
  readonly #snapshot: Snapshot;
  readonly #invariants: Invariants;
  readonly #comparison: Comparison;
  readonly #sabotage: Sabotage | undefined;
  readonly #histories = new Map<string, Uint8Array>();
  readonly #recent: Instruction[] = [];
  readonly #later: Instruction[] = [];
  readonly figures: Record<string, number> = {};
  sent = 0;

  constructor(seed: bigint, broken: Broken | undefined) {
    const start = origin();
    this.#sabotage = isSabotage(broken) ? broken : undefined;
    this.#chain = start.chain.fork();
    this.#model = modelOf(start, isSabotage(broken) ? undefined : broken);
    this.#chain.time = this.#model.time;
    this.#driver = new Driver(this.#chain, start.networkId);
    this.#random = new Random64(seed);
    this.#generator = new Generator(this.#model, this.#random);
    this.#snapshot = new Snapshot(this.#chain);
    for (const ref of this.#model.meters.keys()) this.#snapshot.watchRecord(ref, recordAddress(ref));
    for (const ref of this.#model.live.keys()) this.#snapshot.watchPoint(ref, pointAddress(ref));
    this.#snapshot.refresh();
    for (const [ref, { value }] of this.#snapshot.pages) if (value) this.#histories.set(ref, value.history);
    this.#invariants = new Invariants(this.#snapshot);
    this.#comparison = new Comparison(this.#snapshot, this.#model);
  }

  count(name: string): void {
    this.figures[name] = (this.figures[name] ?? 0) + 1;
  }

  /** Returns the next op: a new op, an earlier op again, or a delayed op. */
  #next(): Op {
    const random = this.#random;
    if (this.#later.length > 0 && random.oneIn(12)) {
      this.count('reordered');
      return this.#later.splice(random.below(this.#later.length), 1)[0] as Op;
    }
    if (this.#recent.length > 0 && random.oneIn(8)) {
      this.count('replayed');
      return random.pick(this.#recent);
    }
    const op = this.#generator.next();
    if (op.kind !== 'clock' && random.oneIn(10)) this.#later.push(op);
    return op;
  }

  step(): void {
    const op = this.#next();
    if (op.kind === 'clock') {
      apply(this.#model, op);
      this.#chain.time = this.#model.time;
      return;
    }
    if (this.#recent.push(op) > MAX_RECENT) this.#recent.shift();
    this.#watch(op);
    if (this.#random.oneIn(6)) this.#hostile(op);
    const accepted = this.#both(op);
    if (accepted && ANYONES.has(op.kind) && this.#random.oneIn(3)) this.#again(op);
  }

  /** Watches every account that the op could make or change from now on. */
  #watch(op: Instruction): void {
    const snapshot = this.#snapshot;
    if (op.kind === 'user') snapshot.watchUser(`${op.zone}/${op.wallet}`, userAddress(`${op.zone}/${op.wallet}`));
    if (!('meter' in op)) return;
    const place = this.#model.meters.get(op.meter)?.place;
    snapshot.watchRecord(op.meter, recordAddress(op.meter));
    if (op.kind === 'replace') snapshot.watchRecord(op.next, recordAddress(op.next));
    const zone = zoneOf(op.meter);
    if ('point' in op) snapshot.watchPoint(`${zone}/${op.point}`, pointAddress(`${zone}/${op.point}`));
    if (!place || op.kind !== 'dispute') return;
    const ref = `${zone}/${place.page}/${place.slot}`;
    snapshot.watchCase(ref, caseAddress(ref));
  }

  /** Runs the op on both; returns true when they accepted it. */
  #both(op: Instruction): boolean {
    const sending = this.#driver.sending(op, this.#model);
    const expected = apply(this.#model, op);
    const outcome = this.#driver.send(sending);
    this.sent++;
    this.count(`${op.kind} ${outcome.ok ? 'accepted' : 'refused'}`);
    if (this.#sabotage) sabotage(this.#sabotage, this.#chain, this.#model, op, outcome.ok);
    this.#snapshot.refresh();
    const broken = this.#invariants.judge(op, outcome.ok);
    if (broken) throw new Difference(`${broken}\nafter ${show(op)}`);
    if (outcome.ok !== (expected !== 'refused')) {
      const said = outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
      throw new Difference(`chain: ${said}, model: ${show(expected)}\n${show(op)}`);
    }
    this.#fold(op, sending, expected);
    const difference = this.#comparison.first(this.#histories);
    if (difference) throw new Difference(`${difference}\nafter ${show(op)}`);
    this.#countMint(op);
    return outcome.ok;
  }

  #countMint(op: Instruction): void {
    if (op.kind !== 'mintPage' && op.kind !== 'mintMeter') return;
    if (this.#snapshot.changed.size > 0) this.count('minted');
    const meter = op.kind === 'mintMeter' ? this.#model.meters.get(op.meter) : undefined;
    const [zone, page] = op.kind === 'mintPage' ? [op.zone, op.page] : [meter?.zone ?? 0, meter?.place?.page ?? 0];
    const slots = op.kind === 'mintPage' ? [...(this.#model.page(zone, page)?.slots.values() ?? [])] : [];
    const own = this.#model.slotOf(meter);
    const left = [...slots.filter(({ toWallet }) => !toWallet), ...(own?.toWallet ? [own] : [])];
    if (left.some((slot) => !slot.disputed && slot.exportWh > slot.mintedWh)) this.count('beyond the budget');
  }

  /** Folds an accepted instruction into the page's history. */
  #fold(op: Instruction, sending: Sending, expected: Outcome): void {
    if (typeof expected === 'string') return;
    const data = sending.instructions.at(-1)?.data ?? new Uint8Array(8);
    const extra = {
      payload: () => this.#driver.payload(op),
      slot: () => (expected.slot ? slotBytes(expected.slot) : new Uint8Array(0)),
      verdict: () => Uint8Array.of(2),
      nothing: () => new Uint8Array(0),
    }[expected.extra]();
    const old = this.#histories.get(expected.page) ?? new Uint8Array(32);
    const next = foldHistory(old, data.subarray(0, 8), expected.signers, data.subarray(8), extra);
    this.#histories.set(expected.page, next);
  }

  /** Sends an op of `ANYONES` twice: the second send changes nothing (invariant 5). */
  #again(op: Instruction): void {
    this.#both(op);
    this.count('sent twice');
    if (this.#snapshot.changed.size > 0) throw new Difference(`invariant 5: the second time counted\n${show(op)}`);
  }

  /** Sends the op with wrong accounts: the chain refuses it, and nothing has changed. */
  #hostile(op: Instruction): void {
    const { instructions: list, signers } = this.#driver.sending(op, this.#model);
    const last = list.at(-1);
    const variant = last && hostileVariant(this.#random, this.#chain, this.#model, op, last);
    if (!variant) return;
    const outcome = this.#driver.send({ instructions: [...list.slice(0, -1), variant.instruction], signers });
    this.sent++;
    this.count('hostile accounts');
    if (variant.name.endsWith('of the other zone')) this.count("other zone's accounts");
    // A mint without due energy returns before it checks the mint's authority.
    const maySucceed = op.kind === 'mintPage' || op.kind === 'mintMeter';
    if (this.#snapshot.refresh() || (outcome.ok && !maySucceed)) {
      throw new Difference(`${variant.name}: ${outcome.ok ? 'accepted' : 'changed something'}\n${show(op)}`);
    }
  }

  finish(): void {
    for (const found of this.#model.cases.values()) this.count(`verdict ${found.verdict}`);
    for (const [zone, { epoch }] of this.#model.zones)
      if (epoch > 1) this.count(`attestor sets of zone ${zone} changed`);
  }
}

/** Plays one episode of at least so many instructions; the same seed and `broken` do the same. */
export function playEpisode(seed: bigint, instructionCount: number, broken?: Broken): Episode {
  const play = new Play(seed, broken);
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
