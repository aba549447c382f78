import type { PublicKey, TransactionInstruction } from '@solana/web3.js';
import * as generated from '../generated/instructions/oracle/index.js';
import { signer } from '../metas.js';
import { pda } from '../pda.js';

export function createPage(args: { payer: PublicKey; zone: number; page: number }): TransactionInstruction {
  const meterPage = pda.meterPage(args.zone, args.page);
  return generated.createPage({ payer: args.payer, zone: pda.zone(args.zone), meterPage }, args);
}

/** Where a meter's slot is: zone, page and slot of its record. */
interface Place {
  readonly meterId: Uint8Array;
  readonly zone: number;
  readonly page: number;
}

/** The page of a meter's slot, and the meter. */
const placed = (args: Place) => ({
  meterPage: pda.meterPage(args.zone, args.page),
  meter: pda.meter(args.zone, args.meterId),
});

/** The same with the slot's case. */
const disputed = (args: Place & { slot: number }) => ({
  ...placed(args),
  dispute: pda.dispute(args.zone, args.page, args.slot),
});

/** Anyone may send it; on an active slot it changes nothing. Page and zone are those of the Meter record. */
export function activateSlot(args: Place): TransactionInstruction {
  return generated.activateSlot(placed(args), args);
}

/** The bare instruction; `buildAttestPage` makes its arguments from a read of the page. */
export function attestPage(
  args: generated.AttestPageArgs & {
    readonly zone: number;
    readonly page: number;
    /** In any order, each once. */
    readonly attestors: readonly PublicKey[];
  },
): TransactionInstruction {
  const accounts = { meterPage: pda.meterPage(args.zone, args.page), zone: pda.zone(args.zone) };
  return generated.attestPage(accounts, args, args.attestors.map(signer));
}

/** Anyone; directly after the Ed25519 verification of the statement (`signedMessageVerification`). */
export function submitStatement(args: Place): TransactionInstruction {
  return generated.submitStatement({ ...placed(args), config: pda.config() });
}

/** Anyone; copies limits and status of the Meter record. */
export function syncSlot(args: Place): TransactionInstruction {
  return generated.syncSlot(placed(args), args);
}

/** Anyone; directly after the verification of the contradicting statement. The payer pays the case's rent the first time. */
export function dispute(args: Place & { payer: PublicKey; slot: number }): TransactionInstruction {
  return generated.dispute({ ...disputed(args), payer: args.payer, config: pda.config() });
}

/** Anyone; directly after the verification of the statement that answers. */
export function answer(args: Place & { slot: number }): TransactionInstruction {
  return generated.answer({ ...disputed(args), config: pda.config() });
}

/** Anyone; records the verdict of an unanswered dispute, and frees a slot whose verdict the utility has accepted. */
export function concludeDispute(args: Place & { slot: number }): TransactionInstruction {
  return generated.concludeDispute(disputed(args), args);
}
