import { type Meter, NO_SLOT, type Zone } from '@gridtokenx/chain-client';
import { pointAddress } from './addresses.js';
import type { Model } from './model.js';
import type { ModelMeter, ModelSlot, ModelZone } from './model-state.js';
import { addressOf, idOf } from './names.js';
import { type ChainSlot, type Cursor, EMPTY_SLOT, type Snapshot } from './snapshot.js';

const STATUS = ['none', 'active', 'suspended', 'closed', 'replaced', 'pending'];

export const show = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));

export function flagsOf(slot: ModelSlot): number {
  const { active, disputed, extra, moved, closed, suspended, submitted } = slot;
  const bits = [active, disputed, extra, moved, closed, suspended, submitted];
  return bits.reduce((flags, set, index) => flags | (set ? 1 << index : 0), 0);
}

/** Returns the 32 bytes of a slot that the programs fold into the page's history. */
export function slotBytes(slot: ModelSlot): Uint8Array {
  const out = Buffer.alloc(32);
  out.writeBigUInt64LE(slot.exportWh, 0);
  out.writeBigUInt64LE(slot.importWh, 8);
  out.writeUInt32LE(slot.window, 16);
  out.writeUInt32LE(Number(slot.exportCap), 20);
  out.writeUInt32LE(Number(slot.importCap), 24);
  out.writeUInt16LE(flagsOf(slot), 28);
  out.writeUInt8(slot.attestors, 30);
  out.writeUInt8(slot.epoch, 31);
  return out;
}

/** A difference in words; the first one suffices. */
type Difference = string | undefined;

const differ = (what: string, chain: unknown, model: unknown): Difference => {
  const [a, b] = [show(chain), show(model)];
  return a === b ? undefined : `${what}\nchain ${a}\nmodel ${b}`;
};

const sameSlot = (a: ChainSlot, b: ModelSlot) =>
  a.exportWh === b.exportWh &&
  a.importWh === b.importWh &&
  a.window === b.window &&
  a.exportCap === b.exportCap &&
  a.importCap === b.importCap &&
  a.attestors === b.attestors &&
  a.epoch === b.epoch &&
  a.flags === flagsOf(b);

const sameCursor = (a: Cursor, b: ModelSlot) =>
  a.mintedWh === b.mintedWh && a.pooledWh === b.pooledWh && a.retiredWh === b.retiredWh && a.toWallet === b.toWallet;

const NO_CURSOR: Cursor = { mintedWh: 0n, pooledWh: 0n, retiredWh: 0n, toWallet: false };

/** Compares the chain's accounts with the model. */
export class Comparison {
  readonly #chain: Snapshot;
  readonly #model: Model;
  readonly #checked = new Map<string, string>();

  constructor(chain: Snapshot, model: Model) {
    this.#chain = chain;
    this.#model = model;
  }

  /** Compares everything that the model knows; zones and records only where they changed on one of the two sides. */
  first(histories: ReadonlyMap<string, Uint8Array>): Difference {
    return this.#pages(histories) ?? this.#money() ?? this.#zones() ?? this.#recordsAndCases();
  }

  #pages(histories: ReadonlyMap<string, Uint8Array>): Difference {
    for (const [ref, { value: page }] of this.#chain.pages) {
      const expected = this.#model.pages.get(ref);
      if (!page || !expected) {
        if (page || expected) return `page ${ref} exists on one side only`;
        continue;
      }
      if (page.version !== expected.version || page.moves !== expected.moves || page.highest !== expected.highest) {
        const { version, moves, highest } = expected;
        return differ(`page ${ref}`, [page.version, page.moves, page.highest], [version, moves, highest]);
      }
      if (!page.history.equals(histories.get(ref) ?? new Uint8Array(32))) return `history of page ${ref}`;
      const unknown = [...page.slots.keys()].find((index) => !expected.slots.has(index));
      if (unknown !== undefined) return `slot ${ref}/${unknown} was assigned to nobody`;
      for (const [index, slot] of expected.slots) {
        const found = page.slots.get(index) ?? EMPTY_SLOT;
        if (!sameSlot(found, slot)) return differ(`slot ${ref}/${index}`, found, { ...slot, flags: flagsOf(slot) });
      }
    }
    return undefined;
  }

  #money(): Difference {
    for (const [ref, slot] of this.#model.assigned) {
      const [zone, page, index] = ref.split('/');
      const cursor = this.#chain.ledgers.get(`${zone}/${page}`)?.value?.get(Number(index)) ?? NO_CURSOR;
      if (!sameCursor(cursor, slot)) return differ(`cursors of slot ${ref}`, cursor, slot);
    }
    for (const [zone, { value }] of this.#chain.budgets) {
      const budget = this.#model.budgets.get(zone);
      const found = value && [value.mintedWh, value.fromWindow, value.newestWindow];
      const difference = differ(`budget ${zone}`, found, budget && [budget.mintedWh, budget.from, budget.newest]);
      if (difference) return difference;
    }
    for (const [name, units] of this.#chain.balances()) {
      const expected = name === 'pool' ? this.#model.vault : this.#model.balance(name);
      if (units !== expected) return differ(`balance of ${name}`, units, expected);
    }
    return undefined;
  }

  #zones(): Difference {
    for (const [number, watched] of this.#chain.zones) {
      const zone = this.#model.zones.get(number);
      const expected = show(zone && expectedZone(zone));
      const name = `zone ${number}`;
      if (this.#checked.get(name) === expected && !this.#chain.changed.has(watched)) continue;
      const found = show(watched.value && zoneFields(watched.value));
      if (found !== expected) return `${name}\nchain ${found}\nmodel ${expected}`;
      this.#checked.set(name, expected);
    }
    return undefined;
  }

  #recordsAndCases(): Difference {
    for (const [ref, watched] of this.#chain.records) {
      const meter = this.#model.meters.get(ref);
      const expected = show(meter && expectedRecord(meter));
      if (this.#checked.get(ref) === expected && !this.#chain.changed.has(watched)) continue;
      const found = show(watched.value && recordOf(watched.value));
      if (found !== expected) return `meter ${ref}\nchain ${found}\nmodel ${expected}`;
      this.#checked.set(ref, expected);
    }
    for (const [ref, { value }] of this.#chain.points) {
      const live = this.#model.live.get(ref)?.split('/')[1];
      const expected = live === undefined ? new Uint8Array(16) : idOf(live);
      if (!Buffer.from(value?.meterId ?? new Uint8Array(16)).equals(expected)) return `live meter of point ${ref}`;
      if ((value?.countedWindow ?? 0) !== (this.#model.counted.get(ref) ?? 0)) return `counted window of point ${ref}`;
    }
    for (const [ref, { value }] of this.#chain.users) {
      if ((value === true) !== this.#model.users.has(ref)) return `user ${ref}`;
    }
    return this.#cases();
  }

  #cases(): Difference {
    for (const [ref, { value }] of this.#chain.cases) {
      const expected = this.#model.cases.get(ref);
      if (!value && !expected) continue;
      const total = value && { exportWh: value.slotExportWh, importWh: value.slotImportWh };
      const found = value && [
        value.number,
        value.openedWindow,
        value.slotWindow,
        total,
        value.attestors,
        value.verdict,
      ];
      const { number, opened, window, attestors, verdict } = expected ?? {};
      const difference = differ(`case ${ref}`, found, [number, opened, window, expected?.total, attestors, verdict]);
      if (difference) return difference;
    }
    return undefined;
  }
}

function zoneFields(zone: Zone): unknown {
  const { confirmedExportW, meterCount, evidenceCount, epoch, changedWindow, threshold, attestors, announced } = zone;
  return [
    [confirmedExportW, meterCount, evidenceCount, epoch, changedWindow],
    [threshold, attestors],
    announced && [announced.threshold, announced.window, announced.attestors],
  ];
}

function expectedZone(zone: ModelZone): unknown {
  const { confirmedW, meterCount, evidenceCount, epoch, changed, inForce, announced } = zone;
  return [
    [confirmedW, meterCount, evidenceCount, epoch, changed],
    [inForce.threshold, inForce.keys.map(addressOf)],
    announced ? [announced.threshold, announced.window, announced.keys.map(addressOf)] : null,
  ];
}

const NO_KEY = '11111111111111111111111111111111';

function recordOf(meter: Meter): unknown[] {
  const { exportLimitW, importLimitW, registerStepWh, tariffClass } = meter;
  return [
    [meter.owner.toBase58(), meter.installer.toBase58(), meter.point.toBase58()],
    [meter.deviceKey.toBase58(), meter.previousKey.toBase58(), meter.previousKeyLastWindow],
    [meter.keyEpoch, meter.lastRotationWindow, meter.enrolmentWindow, meter.firstValidWindow, meter.baselineWindow],
    [meter.baselineExportWh, meter.baselineImportWh, meter.carriedExportWh, meter.carriedImportWh],
    [STATUS[meter.status], meter.role, meter.signerLevel],
    meter.slot === NO_SLOT ? 'no slot' : [meter.page, meter.slot],
    [exportLimitW, importLimitW, registerStepWh, tariffClass],
    [meter.confirmedWindow, meter.acceptedDispute],
  ];
}

function expectedRecord(meter: ModelMeter): unknown[] {
  const { baseline, carried, limits, place, zone, point } = meter;
  const address = pointAddress(`${zone}/${point}`).toBase58();
  return [
    [addressOf(meter.owner), addressOf(meter.installer), address],
    [addressOf(meter.key), meter.previousKey === undefined ? NO_KEY : addressOf(meter.previousKey), meter.previousLast],
    [meter.keyEpoch, meter.rotated, meter.enrolled, meter.firstValid, meter.baselineWindow],
    [baseline.exportWh, baseline.importWh, carried.exportWh, carried.importWh],
    [meter.status, meter.role, meter.deviceSigned ? 'device' : 'gateway'],
    place ? [place.page, place.slot] : 'no slot',
    [limits?.exportW ?? 0, limits?.importW ?? 0, limits?.step ?? 0, limits?.tariffClass ?? 0],
    [meter.confirmed, meter.acceptedDispute],
  ];
}
