import type { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { hostileChoices, type Variant } from '@gridtokenx/testing-kit/chain/hostile';
import type { Random64 } from '@gridtokenx/testing-kit/random';
import { TransactionInstruction } from '@solana/web3.js';
import { counterpart } from './addresses.js';
import { type Model, zoneOf } from './model.js';
import { utilityOf } from './names.js';
import type { Instruction } from './ops.js';

/** Replaces some of the accounts that have a zone, but not all, by the other zone's. */
function mixedZones(random: Random64, instruction: TransactionInstruction): Variant | undefined {
  const places = instruction.keys.flatMap(({ pubkey }, index) => (counterpart(pubkey) ? [index] : []));
  if (places.length < 2) return undefined;
  const chosen = new Set(places.filter(() => random.oneIn(2)));
  if (chosen.size === 0 || chosen.size === places.length) return undefined;
  const keys = instruction.keys.map((meta, index) =>
    chosen.has(index) ? { ...meta, pubkey: counterpart(meta.pubkey) ?? meta.pubkey } : meta,
  );
  const { programId, data } = instruction;
  const name = `accounts ${[...chosen].join()} of the other zone`;
  return { name, instruction: new TransactionInstruction({ programId, keys, data }), errors: [] };
}

/**
 * Returns variants that need not be refused, by the beginning of their names: mostly accounts that the program does not
 * read in this op.
 */
function unread(op: Instruction, model: Model): readonly string[] {
  if (op.kind === 'register') {
    const byUtility = op.by === utilityOf(zoneOf(op.meter));
    // Any signer may pay. That shows where nothing remains to pay: a record that is written anew.
    return ['account 1 is account 0', ...(byUtility ? ['account 4 '] : [])];
  }
  if (op.kind === 'replace') return ['account 1 is account 0'];
  if (op.kind === 'confirm') return model.meters.get(op.meter)?.role === 0 ? [] : ['account 3 read-only'];
  return [];
}

/** Returns true when one signer fewer could still suffice, so that a spoilt account need not end in a refusal. */
function hasSpareSigner(op: Instruction, model: Model): boolean {
  if (op.kind !== 'attest' && op.kind !== 'cancel') return false;
  const threshold = model.zones.get(op.zone)?.inForce.threshold ?? 0;
  const withUtility = op.kind === 'cancel' && op.signers.length > 1 && op.signers.includes(utilityOf(op.zone));
  return op.signers.length > Math.max(1, threshold) || withUtility;
}

/**
 * Returns the op's last instruction with one account wrong, or with accounts of two zones; undefined when no such
 * variant must be refused.
 */
export function hostileVariant(
  random: Random64,
  chain: Chain,
  model: Model,
  op: Instruction,
  instruction: TransactionInstruction,
): Variant | undefined {
  if (hasSpareSigner(op, model)) return undefined;
  if (random.oneIn(4)) {
    const mixed = mixedZones(random, instruction);
    if (mixed) return mixed;
  }
  const variant = random.pick(hostileChoices(chain, instruction))();
  return unread(op, model).some((name) => variant.name.startsWith(name)) ? undefined : variant;
}
