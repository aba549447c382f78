import { type PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { Writer } from '../bytes.js';
import { instructionDiscriminator } from '../discriminators.js';
import { ASSOCIATED_TOKEN_ID, programIds, TOKEN_2022_ID } from '../ids.js';
import { pda } from '../pda.js';
import { readonly, signer, writable, writableSigner } from './metas.js';

const start = (name: string) => new Writer().raw(instructionDiscriminator(name));
const system = readonly(SystemProgram.programId);

/** Creates the GXT mint and the pool vault; anyone, once. */
export function initializeToken(args: { payer: PublicKey }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      writableSigner(args.payer),
      writable(pda.tokenConfig()),
      writable(pda.mint()),
      readonly(pda.mintAuthority()),
      readonly(pda.poolAuthority()),
      writable(pda.poolVault()),
      readonly(TOKEN_2022_ID),
      readonly(ASSOCIATED_TOKEN_ID),
      system,
    ],
    data: start('initialize').done(),
  });
}

/** One of two equal steps (an instruction may add 10,240 bytes): send it twice, in one transaction if wanted. */
export function createLedgerPage(args: { payer: PublicKey; zone: number; page: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      writableSigner(args.payer),
      readonly(pda.zone(args.zone)),
      writable(pda.ledgerPage(args.zone, args.page)),
      system,
    ],
    data: start('create_ledger_page').u16(args.zone).u32(args.page).done(),
  });
}

/** The account that bounds a zone's minting; anyone, once for each zone. */
export function createBudget(args: { payer: PublicKey; zone: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [writableSigner(args.payer), readonly(pda.zone(args.zone)), writable(pda.budget(args.zone)), system],
    data: start('create_budget').done(),
  });
}

export function setDestination(args: {
  owner: PublicKey;
  meterId: Uint8Array;
  zone: number;
  page: number;
  destination: 'pool' | 'wallet';
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      signer(args.owner),
      readonly(pda.meter(args.zone, args.meterId)),
      writable(pda.ledgerPage(args.zone, args.page)),
    ],
    data: start('set_destination')
      .u8(args.destination === 'wallet' ? 1 : 0)
      .done(),
  });
}

/** Anyone; mints what the page's pool slots exported since to the pool vault, as far as the zone's budget goes. */
export function mintPage(args: { zone: number; page: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      readonly(pda.tokenConfig()),
      readonly(pda.zone(args.zone)),
      readonly(pda.meterPage(args.zone, args.page)),
      writable(pda.ledgerPage(args.zone, args.page)),
      writable(pda.budget(args.zone)),
      writable(pda.mint()),
      writable(pda.poolVault()),
      readonly(pda.mintAuthority()),
      readonly(TOKEN_2022_ID),
    ],
    data: start('mint_page').done(),
  });
}

/** Anyone; mints what one wallet slot exported since, within the budget, to the owner's associated account, which must exist. */
export function mintMeter(args: {
  meterId: Uint8Array;
  owner: PublicKey;
  zone: number;
  page: number;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      readonly(pda.tokenConfig()),
      readonly(pda.zone(args.zone)),
      readonly(pda.meter(args.zone, args.meterId)),
      readonly(pda.meterPage(args.zone, args.page)),
      writable(pda.ledgerPage(args.zone, args.page)),
      writable(pda.budget(args.zone)),
      writable(pda.mint()),
      writable(pda.ownerTokenAccount(args.owner)),
      readonly(pda.mintAuthority()),
      readonly(TOKEN_2022_ID),
    ],
    data: start('mint_meter').done(),
  });
}

/** The owner burns tokens for `wh` watt-hours that the meter imported. */
export function retire(args: {
  owner: PublicKey;
  meterId: Uint8Array;
  zone: number;
  page: number;
  wh: bigint;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.energyToken,
    keys: [
      signer(args.owner),
      readonly(pda.tokenConfig()),
      readonly(pda.meter(args.zone, args.meterId)),
      readonly(pda.meterPage(args.zone, args.page)),
      writable(pda.ledgerPage(args.zone, args.page)),
      writable(pda.mint()),
      writable(pda.ownerTokenAccount(args.owner)),
      readonly(TOKEN_2022_ID),
    ],
    data: start('retire').u64(args.wh).done(),
  });
}

/** The associated token program's idempotent create: the owner's GXT account, which `mintMeter` needs. */
export function createOwnerTokenAccount(args: { payer: PublicKey; owner: PublicKey }): TransactionInstruction {
  return new TransactionInstruction({
    programId: ASSOCIATED_TOKEN_ID,
    keys: [
      writableSigner(args.payer),
      writable(pda.ownerTokenAccount(args.owner)),
      readonly(args.owner),
      readonly(pda.mint()),
      system,
      readonly(TOKEN_2022_ID),
    ],
    data: Buffer.from([1]),
  });
}
