import { createHash } from 'node:crypto';
import { type BlockhashState, NodeUnavailable } from '@gridtokenx/chain-sender';
import { addWindows, asWh, asWindow, latestWindow, type Wh, type Window } from '@gridtokenx/protocol';
import type { Random } from '@gridtokenx/testing-kit/random';
import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { wouldTake } from '#oracle/domain/settlement/plan.js';
import {
  type AttestEntry,
  type ChainNode,
  type MeterPageRead,
  type Outcome,
  type PageRead,
  SlotFlag,
  type SlotRead,
  type TransactionBuilder,
} from '#oracle/domain/settlement/ports.js';
import { type Home, INITIAL_WINDOW, ZONE } from './world.js';

/** The odd home's effect on mints: none, the mint skips its slot, its wallet fails, or it fails the whole page. */
export type MintTrouble = 'none' | 'left' | 'wallet fails' | 'page fails';

interface Page {
  version: bigint;
  history: Uint8Array;
  highestWindow: Window;
  readonly slots: SlotRead[];
  readonly minted: Wh[];
}

type Body =
  | { kind: 'attest'; page: number; version: string; window: number; items: { slot: number; e: string; i: string }[] }
  | { kind: 'mint_page' | 'mint_meter'; page: number; slot: number };

const CAP_WH = 2_751;

/** A chain on the event clock that keeps the programs' rules about versions, windows, caps and cursors. */
export class ModelChain implements ChainNode, TransactionBuilder {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #homes: readonly Home[];
  readonly #odd: Home;
  readonly #trouble: MintTrouble;
  readonly #pages: Page[];
  readonly #outcomes = new Map<string, Outcome>();
  #slot = 100;
  /** Number of transactions that landed. */
  landed = 0;

  constructor(
    clock: VirtualClock,
    random: Random,
    homes: readonly Home[],
    odd: Home,
    pages: number,
    trouble: MintTrouble,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#homes = homes;
    this.#odd = odd;
    this.#trouble = trouble;
    this.#pages = Array.from({ length: pages }, () => ({
      version: 0n,
      history: new Uint8Array(32),
      highestWindow: addWindows(INITIAL_WINDOW, -1),
      slots: [],
      minted: [],
    }));
  }

  /** Puts a home's slot on its page, attested up to a window and minted. */
  place({ record: { page, slot } }: Home, window: number): void {
    const on = this.#pages[page ?? 0];
    if (!on || slot === null) throw new RangeError('a home without a slot');
    on.slots[slot] = {
      ...{ exportWh: asWh(0n), importWh: asWh(0n), window: asWindow(window), exportCapWh: CAP_WH, importCapWh: CAP_WH },
      ...{ flags: SlotFlag.active, attestors: 1, epoch: 1 },
    };
    on.minted[slot] = asWh(0n);
  }

  slotOf({ record: { page, slot } }: Home): {
    readonly window: number;
    readonly exportWh: bigint;
    readonly minted: bigint;
  } {
    const on = this.#pages[page ?? 0];
    const read = on?.slots[slot ?? 0];
    if (!on || !read) throw new RangeError('a home without a slot');
    return { window: read.window, exportWh: read.exportWh, minted: on.minted[slot ?? 0] ?? 0n };
  }

  async readPage(zone: number, page: number): Promise<PageRead> {
    if (this.#random.chance(0.005)) throw new NodeUnavailable('the node does not answer');
    const on = this.#pages[page];
    if (!on || zone !== ZONE) return { chainSlot: this.#slot, page: null, ledger: null };
    const { version, history, highestWindow, slots, minted } = on;
    const rest = { lastRoot: history, bump: 1, format: 1, moves: 0, page, zone };
    const read: MeterPageRead = {
      version,
      history,
      highestWindow,
      slots: [...slots],
      ...rest,
    };
    const isOdd = (slot: number) => page === this.#odd.record.page && slot === this.#odd.record.slot;
    const destination = (slot: number) => (isOdd(slot) && this.#trouble === 'wallet fails' ? 'wallet' : 'pool');
    const ledger = { slots: minted.map((mintedWh, slot) => ({ mintedWh, destination: destination(slot) }) as const) };
    return { chainSlot: this.#slot, page: read, ledger };
  }

  async send(raw: Uint8Array): Promise<void> {
    const signature = signatureOf(raw);
    if (this.#outcomes.has(signature) || this.#random.chance(0.05)) return;
    this.#outcomes.set(signature, { kind: 'seen' });
    this.#clock.after(this.#random.int(50, 300), () => this.#land(signature, raw));
  }

  async outcome(signature: string): Promise<Outcome> {
    return this.#outcomes.get(signature) ?? { kind: 'unknown' };
  }
  async blockhashState(): Promise<BlockhashState> {
    return 'valid';
  }

  async attest(read: MeterPageRead, window: number, entries: readonly AttestEntry[], nonce: number) {
    const items = entries.map(({ slot, exportWh, importWh }) => ({ slot, e: String(exportWh), i: String(importWh) }));
    const body: Body = { kind: 'attest', page: read.page, version: String(read.version), window, items };
    const signed = this.#sign(body, nonce);
    return { ...signed, taken: entries, expectedHistory: folded(read.history, signed.raw) };
  }
  async mintPage(_: number, page: number, nonce: number) {
    return this.#sign({ kind: 'mint_page', page, slot: -1 }, nonce);
  }
  async mintMeter(_: number, page: number, meterId: string, _owner: string, nonce: number) {
    const home = this.#homes.find(({ record }) => record.meterId === meterId);
    return this.#sign({ kind: 'mint_meter', page, slot: home?.record.slot ?? -1 }, nonce);
  }

  #sign(body: Body, nonce: number) {
    const raw = new Uint8Array(Buffer.from(JSON.stringify({ ...body, nonce })));
    return { raw, signature: signatureOf(raw), blockhash: 'b', lastValidHeight: 1e9 };
  }

  #land(signature: string, raw: Uint8Array): void {
    const body = JSON.parse(Buffer.from(raw).toString()) as Body;
    const slot = ++this.#slot;
    this.landed++;
    const on = this.#pages[body.page];
    const error = on ? this.#apply(on, body, raw) : 'no such page';
    if (typeof error === 'string') this.#outcomes.set(signature, { kind: 'failed', slot, error });
    else this.#outcomes.set(signature, { kind: 'landed', slot, event: error });
  }

  #apply(on: Page, body: Body, raw: Uint8Array) {
    if (body.kind !== 'attest') return this.#mint(on, body);
    if (String(on.version) !== body.version) return 'StaleVersion';
    const skipped = new Set<number>();
    for (const { slot, e, i } of body.items) {
      const before = on.slots[slot];
      const totals = { exportWh: asWh(BigInt(e)), importWh: asWh(BigInt(i)) };
      if (!before || !wouldTake(before, asWindow(body.window), totals)) skipped.add(slot);
      else on.slots[slot] = { ...before, ...totals, window: asWindow(body.window) };
    }
    on.version++;
    on.history = folded(on.history, raw);
    on.highestWindow = latestWindow(on.highestWindow, asWindow(body.window));
    return { version: on.version, history: on.history, window: asWindow(body.window), skipped };
  }

  #mint(on: Page, body: Extract<Body, { slot: number }>) {
    const isOddPage = body.page === this.#odd.record.page;
    const odd = isOddPage ? (this.#odd.record.slot ?? -1) : -1;
    const isDue = (slot: number) => (on.slots[slot]?.exportWh ?? 0n) > (on.minted[slot] ?? 0n);
    if (body.kind === 'mint_meter') return 'the token account is closed';
    if (this.#trouble === 'page fails' && odd >= 0 && isDue(odd)) return 'Overflow';
    for (const slot of on.slots.keys()) {
      const isLeft = slot === odd && this.#trouble !== 'none';
      if (!isLeft) on.minted[slot] = on.slots[slot]?.exportWh ?? asWh(0n);
    }
    return null;
  }
}

function signatureOf(raw: Uint8Array): string {
  return createHash('sha256').update(raw).digest('hex');
}
function folded(history: Uint8Array, raw: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(history).update(raw).digest());
}
