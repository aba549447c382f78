import { decodePayload, merkleRoot, type Wh } from '@gridtokenx/protocol';
import { ComputeBudgetProgram, type PublicKey, type TransactionInstruction, TransactionMessage } from '@solana/web3.js';
import type { MeterPage } from './accounts.js';
import { SLOTS_PER_PAGE } from './ids.js';
import { attestPage } from './instructions/oracle.js';

/** Largest transaction that the network carries. */
export const MAX_TRANSACTION_BYTES = 1_232;

/** One meter in an attest_page: its new totals and the 96-byte statement payload that they come from. */
export interface AttestItem {
  readonly slot: number;
  readonly exportWh: Wh;
  readonly importWh: Wh;
  readonly payload: Uint8Array;
}

export interface AttestArgs {
  readonly zone: number;
  readonly page: number;
  /** The one read of the page account that this is built on: version, moves and all slots. */
  readonly read: MeterPage;
  readonly window: number;
  readonly items: readonly AttestItem[];
  readonly attestors: readonly PublicKey[];
}

/**
 * The low bits of `next` in LEB128 groups of 7, as few as tell it from `current`: the smallest k with next - current <
 * 2^(7k) [chain §7.2]. A RangeError when the total fell or rose by 2^63 or more.
 */
export function encodeTotal(current: Wh, next: Wh): Uint8Array {
  const rise = next - current;
  if (rise < 0n) throw new RangeError(`a total never falls: ${current} to ${next}`);
  let groups = 1;
  while (rise >> BigInt(7 * groups)) groups++;
  if (groups > 9) throw new RangeError(`a rise of ${rise} Wh needs more than 9 groups`);
  return Uint8Array.from({ length: groups }, (_, index) => {
    const bits = Number((next >> BigInt(7 * index)) & 0x7fn);
    return index === groups - 1 ? bits : bits | 0x80;
  });
}

interface Totals {
  readonly exportWh: Wh;
  readonly importWh: Wh;
}

/** Both totals of a slot, export first, as attest_page carries them. */
export function encodeTotals(current: Totals, next: Totals): Uint8Array {
  return Uint8Array.of(
    ...encodeTotal(current.exportWh, next.exportWh),
    ...encodeTotal(current.importWh, next.importWh),
  );
}

function slotOf(read: MeterPage, slot: number) {
  const found = Number.isInteger(slot) ? read.slots[slot] : undefined;
  if (!found) throw new RangeError(`slot ${slot} is not one of a page's ${SLOTS_PER_PAGE}`);
  return found;
}

function checkStatement(item: AttestItem, window: number): void {
  const payload = decodePayload(item.payload);
  if (payload.kind !== 2 || payload.window !== window) {
    throw new RangeError(`slot ${item.slot}: its payload is not a statement for window ${window}`);
  }
}

function inSlotOrder(items: readonly AttestItem[]): AttestItem[] {
  const sorted = [...items].sort((a, b) => a.slot - b.slot);
  for (const [index, item] of sorted.entries()) {
    if (item.slot === sorted[index - 1]?.slot) throw new RangeError(`slot ${item.slot} is named twice`);
  }
  return sorted;
}

/**
 * attest_page for `items`, with the RFC 6962 root over their payloads in slot order. RangeError for what the program or a
 * co-signer would refuse in any case: no item, a slot twice, a falling total, a payload that is no statement for the window.
 */
export function buildAttestPage(args: AttestArgs): TransactionInstruction {
  const items = inSlotOrder(args.items);
  if (items.length === 0) throw new RangeError('attest_page needs at least one item');
  const { read } = args;
  if (read.zone !== args.zone || read.page !== args.page) throw new RangeError('the read is of another page');
  const bitmap = new Uint8Array(SLOTS_PER_PAGE / 8);
  const totals: number[] = [];
  for (const item of items) {
    checkStatement(item, args.window);
    totals.push(...encodeTotals(slotOf(read, item.slot), item));
    bitmap[item.slot >> 3] = (bitmap[item.slot >> 3] ?? 0) | (1 << (item.slot & 7));
  }
  return attestPage({
    zone: args.zone,
    page: args.page,
    version: read.version,
    moves: read.moves,
    window: args.window,
    root: merkleRoot(items.map((item) => item.payload)),
    bitmap,
    totals: Uint8Array.from(totals),
    attestors: args.attestors,
  });
}

/** Bytes of the v0 transaction without the totals: signatures, keys, compute budget, the instruction's fixed part. */
function fixedBytes(args: Omit<AttestArgs, 'items' | 'read' | 'window'> & { payer: PublicKey }): number {
  const empty = attestPage({
    zone: args.zone,
    page: args.page,
    version: 0n,
    moves: 0,
    window: 0,
    root: new Uint8Array(32),
    bitmap: new Uint8Array(32),
    totals: new Uint8Array(128), // above 127 bytes the length takes two bytes, as in every transaction worth splitting
    attestors: args.attestors,
  });
  const message = new TransactionMessage({
    payerKey: args.payer,
    recentBlockhash: '11111111111111111111111111111111',
    instructions: [attestComputeBudget(SLOTS_PER_PAGE), empty],
  }).compileToV0Message();
  return 1 + 64 * message.header.numRequiredSignatures + message.serialize().length - 128;
}

/** Compute-unit limit for attest_page of `meters` meters: above what it takes, so that a page never fails for units. */
export function attestComputeBudget(meters: number): TransactionInstruction {
  return ComputeBudgetProgram.setComputeUnitLimit({ units: 10_000 + 120 * meters });
}

/**
 * Splits `items` into the fewest groups in slot order whose v0 transactions (compute budget and all attestor signatures included)
 * fit 1,232 bytes. `payer` is the first attestor unless given. Each group is built with `buildAttestPage` from a *fresh* read, when
 * the outcome of the group before is known, because every attest_page raises the page's version.
 */
export function planAttest(args: AttestArgs & { payer?: PublicKey }): AttestItem[][] {
  const payer = args.payer ?? args.attestors[0];
  if (!payer) throw new RangeError('attest_page needs an attestor');
  const room = MAX_TRANSACTION_BYTES - fixedBytes({ ...args, payer });
  const groups: AttestItem[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const item of inSlotOrder(args.items)) {
    const size = encodeTotals(slotOf(args.read, item.slot), item).length;
    if (used + size > room) {
      groups.push([]);
      used = 0;
    }
    groups.at(-1)?.push(item);
    used += size;
  }
  return groups;
}
