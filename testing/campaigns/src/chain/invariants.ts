import { type Meter, reservedW, SlotFlag, Status, type Zone } from '@gridtokenx/chain-client';
import { zoneOf } from './model.js';
import { windowWh } from './model-state.js';
import { addressOf } from './names.js';
import type { Op } from './ops.js';
import { type ChainSlot, type Cursor, EMPTY_SLOT, type Snapshot } from './snapshot.js';

const MAX_WINDOWS = 2_880;
const BASE_UNITS_PER_WH = 1_000n;

interface AttestorsInForce {
  readonly keys: ReadonlySet<string>;
  readonly threshold: number;
}

/** The party whose statements move a slot's energy. */
interface Speaker {
  readonly key: string;
  readonly slot: string;
}

/** Returns the same value for the same object: accounts are decoded anew only when they changed. */
function remembered<K extends object, V>(make: (from: K) => V): (from: K) => V {
  const known = new WeakMap<K, V>();
  return (from) => {
    const found = known.get(from) ?? make(from);
    known.set(from, found);
    return found;
  };
}

const setOf = remembered(
  (zone: Zone): AttestorsInForce => ({
    keys: new Set(zone.attestors.map((key) => key.toBase58())),
    threshold: zone.threshold,
  }),
);
const speakerOf = remembered(
  (meter: Meter): Speaker => ({
    key: meter.deviceKey.toBase58(),
    slot: `${meter.zone}/${meter.page}/${meter.slot}`,
  }),
);

/** The chain's state before an op: who could move energy then, and every total. */
interface Before {
  readonly slots: ReadonlyMap<string, ChainSlot>;
  readonly cursors: ReadonlyMap<string, Cursor>;
  readonly attestors: ReadonlyMap<number, AttestorsInForce>;
  readonly keys: ReadonlyMap<string, Speaker>;
  readonly levels: ReadonlyMap<string, bigint>;
}

const under = <T>(ref: string, values: ReadonlyMap<number, T> | undefined) =>
  [...(values ?? [])].map(([index, value]) => [`${ref}/${index}`, value] as const);

/**
 * The conditions that must hold on the chain after every op, whatever the model says. They are judged from the chain's
 * own accounts alone. A fault's words begin with "invariant".
 */
export class Invariants {
  readonly #chain: Snapshot;
  #before: Before;

  constructor(chain: Snapshot) {
    this.#chain = chain;
    this.#before = this.#read();
  }

  #read(): Before {
    const { pages, ledgers, zones, records } = this.#chain;
    const attestors = [...zones].flatMap(([number, { value }]) => (value ? [[number, setOf(value)] as const] : []));
    const keys = [...records].flatMap(([ref, { value }]) => (value ? [[ref, speakerOf(value)] as const] : []));
    return {
      slots: new Map([...pages].flatMap(([ref, { value }]) => under(ref, value?.slots))),
      cursors: new Map([...ledgers].flatMap(([ref, { value }]) => under(ref, value))),
      attestors: new Map(attestors),
      keys: new Map(keys),
      levels: this.#levels(),
    };
  }

  /** Returns every number that never falls. */
  #levels(): Map<string, bigint> {
    const levels = new Map<string, bigint>();
    for (const [ref, { value }] of this.#chain.pages) {
      levels.set(`version of page ${ref}`, value?.version ?? 0n);
      levels.set(`moves of page ${ref}`, BigInt(value?.moves ?? 0));
      levels.set(`highest window of page ${ref}`, BigInt(value?.highest ?? 0));
      for (const [slot, { exportWh, importWh, window }] of under(ref, value?.slots)) {
        levels.set(`export of slot ${slot}`, exportWh);
        levels.set(`import of slot ${slot}`, importWh);
        levels.set(`window of slot ${slot}`, BigInt(window));
      }
    }
    for (const [ref, { value }] of this.#chain.ledgers) {
      for (const [slot, { mintedWh, pooledWh, retiredWh }] of under(ref, value)) {
        levels.set(`minted of slot ${slot}`, mintedWh);
        levels.set(`pooled of slot ${slot}`, pooledWh);
        levels.set(`retired of slot ${slot}`, retiredWh);
      }
    }
    for (const [zone, { value }] of this.#chain.budgets) {
      levels.set(`minted of budget ${zone}`, value?.mintedWh ?? 0n);
      levels.set(`newest window of budget ${zone}`, BigInt(value?.newestWindow ?? 0));
    }
    return levels;
  }

  /** Returns the first invariant that does not hold after `op`, accepted or refused. */
  judge(op: Op, accepted: boolean): string | undefined {
    const now = this.#read();
    const fault =
      this.#supply(now) ??
      this.#cursors(now) ??
      this.#budgets(now) ??
      this.#capacity() ??
      this.#mover(op, accepted, now);
    const fallen = [...this.#before.levels].find(([name, level]) => (now.levels.get(name) ?? 0n) < level);
    this.#before = now;
    return fault ?? (fallen && `invariant 3: ${fallen[0]} fell from ${fallen[1]}`);
  }

  #supply({ cursors }: Before): string | undefined {
    let [minted, pooled, retired] = [0n, 0n, 0n];
    for (const cursor of cursors.values()) {
      minted += cursor.mintedWh;
      pooled += cursor.pooledWh;
      retired += cursor.retiredWh;
    }
    const supply = this.#chain.supply();
    const balances = this.#chain.balances();
    const held = [...balances.values()].reduce((sum, value) => sum + value, 0n);
    const pool = balances.get('pool') ?? 0n;
    const holds = supply === (minted - retired) * BASE_UNITS_PER_WH && supply === held;
    if (holds && pool === pooled * BASE_UNITS_PER_WH) return undefined;
    return `invariant 1: supply ${supply}, held ${held}, pool ${pool}, minted ${minted} Wh, retired ${retired} Wh`;
  }

  #cursors({ cursors, slots }: Before): string | undefined {
    for (const [ref, cursor] of cursors) {
      const slot = slots.get(ref) ?? EMPTY_SLOT;
      const isWithin = cursor.mintedWh <= slot.exportWh && cursor.retiredWh <= slot.importWh;
      if (!isWithin || cursor.pooledWh > cursor.mintedWh) return `invariant 2: cursors of slot ${ref} pass its totals`;
    }
    return undefined;
  }

  /** Checks that a zone's minted energy equals its budget's, and that its lines could carry it. */
  #budgets({ cursors }: Before): string | undefined {
    for (const [number, { value: budget }] of this.#chain.budgets) {
      let minted = 0n;
      for (const [ref, cursor] of cursors) if (zoneOf(ref) === number) minted += cursor.mintedWh;
      const spent = budget?.mintedWh ?? 0n;
      const capacityW = this.#chain.zones.get(number)?.value?.capacityW ?? 0n;
      const earned = windowWh(capacityW) * BigInt((budget?.newestWindow ?? 0) - (budget?.fromWindow ?? 0));
      if (spent !== minted) return `invariant budget: zone ${number} minted ${minted} Wh, its budget says ${spent}`;
      if (minted > earned) return `invariant budget: zone ${number} minted ${minted} Wh of a budget of ${earned}`;
    }
    return undefined;
  }

  /** Checks that the export limits of all slot holders add up to the zone's figure, and lie within its capacity. */
  #capacity(): string | undefined {
    for (const [number, { value: zone }] of this.#chain.zones) {
      if (!zone) continue;
      let sum = 0n;
      for (const { value: meter } of this.#chain.records.values()) {
        const holds = meter?.status === Status.active || meter?.status === Status.suspended;
        if (holds && meter.zone === number && meter.role === 0)
          sum += reservedW(meter.exportLimitW, meter.registerStepWh);
      }
      if (zone.confirmedExportW !== sum)
        return `invariant capacity: zone ${number}: limits ${sum} W, ${zone.confirmedExportW} said`;
      if (sum > zone.capacityW) return `invariant capacity: zone ${number}: limits ${sum} W above ${zone.capacityW}`;
    }
    return undefined;
  }

  /**
   * Checks that only a quorum of attestors or the meter's own key moves energy, and that only a mint moves minted
   * totals.
   */
  #mover(op: Op, accepted: boolean, now: Before): string | undefined {
    for (const [ref, slot] of now.slots) {
      const old = this.#before.slots.get(ref) ?? EMPTY_SLOT;
      if (slot.exportWh === old.exportWh && slot.importWh === old.importWh) continue;
      const fault = accepted ? this.#energy(op, ref, old, slot) : 'a refused instruction';
      if (fault) return `invariant energy: ${fault} moved energy of slot ${ref}`;
    }
    for (const [ref, cursor] of now.cursors) {
      const old = this.#before.cursors.get(ref);
      const mints = op.kind === 'mintPage' || op.kind === 'mintMeter';
      if (cursor.mintedWh !== (old?.mintedWh ?? 0n) && !(accepted && mints))
        return `invariant energy: ${op.kind} minted ${ref}`;
      const retires = op.kind === 'retire' && accepted;
      if (cursor.retiredWh !== (old?.retiredWh ?? 0n) && !retires) return `invariant energy: ${op.kind} retired ${ref}`;
    }
    return undefined;
  }

  /** Returns who moved a slot's energy without the right; undefined when the move was rightful. */
  #energy(op: Op, ref: string, old: ChainSlot, slot: ChainSlot): string | undefined {
    const windows = BigInt(Math.min(Math.max(slot.window - old.window, 1), MAX_WINDOWS) + 1);
    const isAboveCap =
      slot.exportWh - old.exportWh > old.exportCap * windows || slot.importWh - old.importWh > old.importCap * windows;
    if (isAboveCap) return `${op.kind} above the cap`;
    if ((old.flags & SlotFlag.active) === 0 || (old.flags & (SlotFlag.disputed | SlotFlag.closed)) !== 0)
      return `${op.kind} on a slot that stands still`;
    if (slot.window <= old.window) return `${op.kind} for no newer window`;
    if (op.kind === 'attest') {
      const set = this.#before.attestors.get(op.zone);
      const signers = new Set(op.signers.map(addressOf));
      const count = [...signers].filter((key) => set?.keys.has(key)).length;
      const isQuorum = set !== undefined && set.threshold > 0 && count >= set.threshold;
      return isQuorum && ref.startsWith(`${op.zone}/${op.page}/`) ? undefined : 'attestors below their quorum';
    }
    if (op.kind === 'submit') {
      const record = this.#before.keys.get(op.meter);
      const isOwn = record?.key === addressOf(op.said.key) && record.slot === ref;
      return isOwn ? undefined : "another key than the meter's";
    }
    return op.kind;
  }
}
