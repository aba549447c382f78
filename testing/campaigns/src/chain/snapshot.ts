import {
  type Budget,
  type Dispute,
  decodeBudget,
  decodeDispute,
  decodeMeter,
  decodePoint,
  decodeZone,
  type Meter,
  type Point,
  programIds,
  type Zone,
} from '@gridtokenx/chain-client';
import type { Chain } from '@gridtokenx/testing-kit/chain/harness';
import type { PublicKey } from '@solana/web3.js';
import { budgetAddress, ledgerAddress, pageAddress, tokenAddresses, zoneAddress } from './addresses.js';
import { pageRef } from './model.js';
import { HOME, NEW, NEXT } from './names.js';

/** A slot as stored on its page. */
export interface ChainSlot {
  readonly exportWh: bigint;
  readonly importWh: bigint;
  readonly window: number;
  readonly exportCap: bigint;
  readonly importCap: bigint;
  readonly flags: number;
  readonly attestors: number;
  readonly epoch: number;
}

/** A slot without any write. */
export const EMPTY_SLOT: ChainSlot = {
  exportWh: 0n,
  importWh: 0n,
  window: 0,
  exportCap: 0n,
  importCap: 0n,
  flags: 0,
  attestors: 0,
  epoch: 0,
};

export interface ChainPage {
  readonly version: bigint;
  readonly moves: number;
  readonly highest: number;
  readonly history: Buffer;
  /** Slots that are not all zero. */
  readonly slots: ReadonlyMap<number, ChainSlot>;
}

/** A cursor as stored on its ledger page. */
export interface Cursor {
  readonly mintedWh: bigint;
  readonly pooledWh: bigint;
  readonly retiredWh: bigint;
  readonly toWallet: boolean;
}

const SLOT_BYTES = 32;
const CURSOR_BYTES = 56;
const PAGE_BYTES = 8_288;
const LEDGER_BYTES = 14_400;

/** Returns the numbers of the blocks of `size` bytes from `start` on that are not all zero. */
function used(data: Buffer, start: number, size: number): number[] {
  const found: number[] = [];
  const empty = Buffer.alloc(size);
  for (let index = 0; start + index * size < data.length; index++) {
    const at = start + index * size;
    if (data.compare(empty, 0, size, at, at + size) !== 0) found.push(index);
  }
  return found;
}

function pageOf(data: Buffer): ChainPage {
  const slots = used(data, 96, SLOT_BYTES).map((index) => {
    const at = 96 + index * SLOT_BYTES;
    const slot: ChainSlot = {
      exportWh: data.readBigUInt64LE(at),
      importWh: data.readBigUInt64LE(at + 8),
      window: data.readUInt32LE(at + 16),
      exportCap: BigInt(data.readUInt32LE(at + 20)),
      importCap: BigInt(data.readUInt32LE(at + 24)),
      flags: data.readUInt16LE(at + 28),
      attestors: data.readUInt8(at + 30),
      epoch: data.readUInt8(at + 31),
    };
    return [index, slot] as const;
  });
  return {
    version: data.readBigUInt64LE(8),
    moves: data.readUInt32LE(16),
    highest: data.readUInt32LE(20),
    history: Buffer.from(data.subarray(56, 88)),
    slots: new Map(slots),
  };
}

function ledgerOf(data: Buffer): ReadonlyMap<number, Cursor> {
  const cursors = used(data, 64, CURSOR_BYTES).map((index) => {
    const at = 64 + index * CURSOR_BYTES;
    const cursor: Cursor = {
      mintedWh: data.readBigUInt64LE(at),
      pooledWh: data.readBigUInt64LE(at + 8),
      retiredWh: data.readBigUInt64LE(at + 16),
      toWallet: (data.readUInt32LE(at + 48) & 1) === 1,
    };
    return [index, cursor] as const;
  });
  return new Map(cursors);
}

/** One watched account: its bytes, and their decoded value, decoded anew only after a change. */
class Watched<T> {
  readonly address: PublicKey;
  readonly #key: Uint8Array;
  readonly #read: (data: Buffer) => T | undefined;
  bytes: Buffer = Buffer.alloc(0);
  value: T | undefined;

  constructor(address: PublicKey, read: (data: Buffer) => T | undefined) {
    this.address = address;
    this.#key = address.toBytes();
    this.#read = read;
  }

  /** Returns true when the bytes have changed. */
  refresh(chain: Chain): boolean {
    const found = Buffer.from(chain.svm.getAccount(this.#key)?.data() ?? []);
    if (found.equals(this.bytes)) return false;
    this.bytes = found;
    this.value = found.length === 0 ? undefined : this.#read(found);
    return true;
  }
}

const registry = (data: Buffer) => ({ owner: programIds.registry, data });

/** All accounts that an op here could change, by name. */
export class Snapshot {
  readonly #chain: Chain;
  readonly pages = new Map<string, Watched<ChainPage>>();
  readonly ledgers = new Map<string, Watched<ReadonlyMap<number, Cursor>>>();
  readonly zones = new Map<number, Watched<Zone>>();
  readonly budgets = new Map<number, Watched<Budget>>();
  readonly records = new Map<string, Watched<Meter>>();
  readonly points = new Map<string, Watched<Point>>();
  readonly cases = new Map<string, Watched<Dispute>>();
  readonly users = new Map<string, Watched<true>>();
  /** Balances in base units, and the supply under the name `supply`. */
  readonly tokens = new Map<string, Watched<bigint>>();
  /** Objects that the last refresh found changed. */
  readonly changed = new Set<object>();

  constructor(chain: Chain) {
    this.#chain = chain;
    for (const zone of [HOME, NEXT, NEW]) {
      this.zones.set(zone, new Watched(zoneAddress(zone), (data) => decodeZone(registry(data))));
      const budget = (data: Buffer) => decodeBudget({ owner: programIds.energyToken, data });
      this.budgets.set(zone, new Watched(budgetAddress(zone), budget));
      for (const page of [0, 1, 2]) {
        const whole = (data: Buffer) => (data.length === LEDGER_BYTES ? ledgerOf(data) : undefined);
        const read = (data: Buffer) => (data.length === PAGE_BYTES ? pageOf(data) : undefined);
        this.pages.set(pageRef(zone, page), new Watched(pageAddress(zone, page), read));
        this.ledgers.set(pageRef(zone, page), new Watched(ledgerAddress(zone, page), whole));
      }
    }
    const amountAt = (at: number) => (data: Buffer) => data.readBigUInt64LE(at);
    for (const [name, key] of tokenAddresses())
      this.tokens.set(name, new Watched(key, amountAt(name === 'supply' ? 36 : 64)));
  }

  watchRecord(ref: string, address: PublicKey): void {
    if (!this.records.has(ref))
      this.#add(this.records, ref, new Watched(address, (data) => decodeMeter(registry(data))));
  }

  watchPoint(ref: string, address: PublicKey): void {
    if (!this.points.has(ref)) this.#add(this.points, ref, new Watched(address, (data) => decodePoint(registry(data))));
  }

  watchCase(ref: string, address: PublicKey): void {
    const read = (data: Buffer) => decodeDispute({ owner: programIds.oracle, data });
    if (!this.cases.has(ref)) this.#add(this.cases, ref, new Watched(address, read));
  }

  watchUser(ref: string, address: PublicKey): void {
    if (!this.users.has(ref)) this.#add(this.users, ref, new Watched(address, () => true));
  }

  #add<T>(to: Map<string, Watched<T>>, ref: string, watched: Watched<T>): void {
    watched.refresh(this.#chain);
    to.set(ref, watched);
  }

  #all(): Watched<unknown>[] {
    const groups = [this.pages, this.ledgers, this.zones, this.budgets, this.records];
    const others = [this.points, this.cases, this.users, this.tokens];
    return [...groups, ...others].flatMap((group) => [...group.values()]);
  }

  /** Reads everything again; returns true when anything changed. */
  refresh(): boolean {
    this.changed.clear();
    for (const watched of this.#all()) if (watched.refresh(this.#chain)) this.changed.add(watched);
    return this.changed.size > 0;
  }

  supply(): bigint {
    return this.tokens.get('supply')?.value ?? 0n;
  }

  /** Returns balances by name: the pool, or an owner. */
  balances(): ReadonlyMap<string, bigint> {
    return new Map(
      [...this.tokens].filter(([name]) => name !== 'supply').map(([name, { value }]) => [name, value ?? 0n]),
    );
  }
}
