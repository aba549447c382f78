import { type PublicKey, SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { Writer } from '../bytes.js';
import { instructionDiscriminator } from '../discriminators.js';
import { programIds } from '../ids.js';
import { pda } from '../pda.js';
import { readonly, signer, writable, writableSigner } from './metas.js';

const start = (name: string) => new Writer().raw(instructionDiscriminator(name));

export function createPage(args: { payer: PublicKey; zone: number; page: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writableSigner(args.payer),
      readonly(pda.zone(args.zone)),
      writable(pda.meterPage(args.zone, args.page)),
      readonly(SystemProgram.programId),
    ],
    data: start('create_page').u32(args.page).done(),
  });
}

/** Anyone may send it; on an active slot it changes nothing. Page and zone are those of the Meter record. */
export function activateSlot(args: { meterId: Uint8Array; zone: number; page: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [writable(pda.meterPage(args.zone, args.page)), readonly(pda.meter(args.zone, args.meterId))],
    data: start('activate_slot').fixed(args.meterId, 16, 'meter_id').done(),
  });
}

/** The bare instruction; `buildAttestPage` makes its arguments from a read of the page. */
export function attestPage(args: {
  zone: number;
  page: number;
  version: bigint;
  moves: number;
  window: number;
  root: Uint8Array;
  bitmap: Uint8Array;
  totals: Uint8Array;
  /** In any order, each once. */
  attestors: readonly PublicKey[];
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writable(pda.meterPage(args.zone, args.page)),
      readonly(pda.zone(args.zone)),
      ...args.attestors.map((key) => signer(key)),
    ],
    data: start('attest_page')
      .u64(args.version)
      .u32(args.moves)
      .u32(args.window)
      .fixed(args.root, 32, 'root')
      .fixed(args.bitmap, 32, 'bitmap')
      .u32(args.totals.length)
      .raw(args.totals)
      .done(),
  });
}

/** Where a meter's slot is: zone, page and slot of its record. */
interface Place {
  readonly meterId: Uint8Array;
  readonly zone: number;
  readonly page: number;
}

/** Anyone; directly after the Ed25519 verification of the statement (`signedMessageVerification`). */
export function submitStatement(args: Place): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writable(pda.meterPage(args.zone, args.page)),
      readonly(pda.meter(args.zone, args.meterId)),
      readonly(pda.config()),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
    ],
    data: start('submit_statement').done(),
  });
}

/** Anyone; copies limits and status of the Meter record. */
export function syncSlot(args: Place): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [writable(pda.meterPage(args.zone, args.page)), readonly(pda.meter(args.zone, args.meterId))],
    data: start('sync_slot').fixed(args.meterId, 16, 'meter_id').done(),
  });
}

/** Anyone; directly after the verification of the contradicting statement. The payer pays the case's rent the first time. */
export function dispute(args: Place & { payer: PublicKey; slot: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writableSigner(args.payer),
      writable(pda.meterPage(args.zone, args.page)),
      readonly(pda.meter(args.zone, args.meterId)),
      writable(pda.dispute(args.zone, args.page, args.slot)),
      readonly(pda.config()),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
      readonly(SystemProgram.programId),
    ],
    data: start('dispute').done(),
  });
}

/** Anyone; directly after the verification of the statement that answers. */
export function answer(args: Place & { slot: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writable(pda.meterPage(args.zone, args.page)),
      readonly(pda.meter(args.zone, args.meterId)),
      writable(pda.dispute(args.zone, args.page, args.slot)),
      readonly(pda.config()),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
    ],
    data: start('answer').done(),
  });
}

/** Anyone; records the verdict of an unanswered dispute, and frees a slot whose verdict the utility has accepted. */
export function concludeDispute(args: Place & { slot: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.oracle,
    keys: [
      writable(pda.meterPage(args.zone, args.page)),
      readonly(pda.meter(args.zone, args.meterId)),
      writable(pda.dispute(args.zone, args.page, args.slot)),
    ],
    data: start('conclude_dispute').fixed(args.meterId, 16, 'meter_id').done(),
  });
}
