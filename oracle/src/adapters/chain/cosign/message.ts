import { createHash } from 'node:crypto';
import {
  buildAttestPage,
  encodeTotals,
  instructionDiscriminator,
  MAX_TRANSACTION_BYTES,
  programIds,
} from '@gridtokenx/chain-client';
import { asWindow, equalBytes, type Window } from '@gridtokenx/protocol';
import { errorText } from '@gridtokenx/runtime/core';
import { ComputeBudgetProgram, MessageV0, type PublicKey, TransactionMessage } from '@solana/web3.js';
import type { AttestEntry, MeterPageRead, Totals } from '../../../domain/settlement/ports.js';

/** A transaction message that is compute budget and one attest_page, and nothing else. */
export interface Proposal {
  readonly bytes: Uint8Array;
  readonly payer: PublicKey;
  readonly blockhash: string;
  readonly units: number;
  readonly page: PublicKey;
  /** As the instruction names them. */
  readonly attestors: readonly PublicKey[];
  readonly version: bigint;
  readonly moves: number;
  readonly window: Window;
  readonly root: Uint8Array;
  readonly slots: readonly number[];
  /** The attest_page's data. */
  readonly data: Uint8Array;
  /** Of `data`: two proposals for one page version with one digest are the same attest_page. */
  readonly digest: Uint8Array;
}

const DISCRIMINATOR = instructionDiscriminator('attest_page');
const SET_UNIT_LIMIT = 2;
const MAX_UNITS = 1_400_000;
/** Discriminator 8, version 8, moves 4, window 4, root 32, bitmap 32, length 4. */
const FIXED_DATA_BYTES = 92;

/** Reads a proposal. Throws a `RangeError` that says what is in it that should not be. */
export function readProposal(bytes: Uint8Array): Proposal {
  const message = deserialize(bytes);
  if (message.addressTableLookups.length > 0) throw new RangeError('address tables');
  const [budget, attest] = message.compiledInstructions;
  if (message.compiledInstructions.length !== 2 || !budget || !attest) throw new RangeError('not two instructions');
  const keys = message.staticAccountKeys;
  const key = (index: number): PublicKey => {
    const found = keys[index];
    if (!found) throw new RangeError(`no account ${index}`);
    return found;
  };
  const limit = Buffer.from(budget.data);
  const isLimit = limit.length === 5 && limit[0] === SET_UNIT_LIMIT && budget.accountKeyIndexes.length === 0;
  if (!key(budget.programIdIndex).equals(ComputeBudgetProgram.programId) || !isLimit) {
    throw new RangeError('the first instruction is no compute-unit limit');
  }
  const units = limit.readUInt32LE(1);
  if (units > MAX_UNITS) throw new RangeError(`${units} compute units`);
  const data = Buffer.from(attest.data);
  const isAttest = data.length >= FIXED_DATA_BYTES && equalBytes(data.subarray(0, 8), DISCRIMINATOR);
  if (!key(attest.programIdIndex).equals(programIds.oracle) || !isAttest) {
    throw new RangeError('the second instruction is no attest_page');
  }
  const [page, , ...attestors] = attest.accountKeyIndexes.map(key);
  if (!page || attestors.length === 0) throw new RangeError('attest_page without its accounts');
  const bitmap = data.subarray(56, 88);
  return {
    bytes,
    payer: key(0),
    blockhash: message.recentBlockhash,
    units,
    page,
    attestors,
    version: data.readBigUInt64LE(8),
    moves: data.readUInt32LE(16),
    window: asWindow(data.readUInt32LE(20)),
    root: new Uint8Array(data.subarray(24, 56)),
    slots: Array.from({ length: 256 }, (_, slot) => slot).filter(
      (slot) => ((bitmap[slot >> 3] ?? 0) >> (slot & 7)) & 1,
    ),
    data: new Uint8Array(data),
    digest: new Uint8Array(createHash('sha256').update(data).digest()),
  };
}

function deserialize(bytes: Uint8Array): MessageV0 {
  try {
    return MessageV0.deserialize(bytes);
  } catch (cause) {
    throw new RangeError(`no v0 message: ${errorText(cause)}`, { cause });
  }
}

/**
 * Compares a proposal, byte by byte, with the transaction that `entries` on `read` make. Accepts the proposal's payer,
 * blockhash, compute-unit limit and order of attestors. Returns the first difference in words, or null.
 */
export function difference(
  proposal: Proposal,
  read: MeterPageRead,
  entries: readonly AttestEntry[],
): 'root' | 'totals' | 'transaction' | null {
  const { zone, page } = read;
  const { window, attestors, payer, blockhash, units } = proposal;
  let own: ReturnType<typeof buildAttestPage>;
  try {
    own = buildAttestPage({ zone, page, read, window, items: entries, attestors });
  } catch (error) {
    if (error instanceof RangeError) return 'totals';
    throw error;
  }
  if (!equalBytes(own.data.subarray(24, 56), proposal.root)) return 'root';
  if (!equalBytes(own.data.subarray(88), proposal.data.subarray(88))) return 'totals';
  const limit = ComputeBudgetProgram.setComputeUnitLimit({ units });
  const whole = new TransactionMessage({ payerKey: payer, recentBlockhash: blockhash, instructions: [limit, own] });
  return equalBytes(whole.compileToV0Message().serialize(), proposal.bytes) ? null : 'transaction';
}

/** True when a slot's totals would still have fitted the proposal's transaction. */
export function fitsInto(proposal: Proposal, read: MeterPageRead) {
  const used = 1 + 64 * proposal.attestors.length + proposal.bytes.length;
  return (slot: number, totals: Totals): boolean => {
    const before = read.slots[slot];
    // The length of the data may take a byte more.
    return before !== undefined && used + encodeTotals(before, totals).length + 1 <= MAX_TRANSACTION_BYTES;
  };
}
