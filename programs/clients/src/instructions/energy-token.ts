import type { Wh } from '@gridtokenx/protocol';
import { type PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import * as generated from '../generated/instructions/energy-token/index.js';
import { ASSOCIATED_TOKEN_ID, TOKEN_2022_ID } from '../ids.js';
import { readonly, writable, writableSigner } from '../metas.js';
import { pda } from '../pda.js';

/** Creates the GXT mint and the pool vault; anyone, once. */
export function initializeToken(args: { payer: PublicKey }): TransactionInstruction {
  return generated.initialize({
    payer: args.payer,
    tokenConfig: pda.tokenConfig(),
    mint: pda.mint(),
    mintAuthority: pda.mintAuthority(),
    vaultAuthority: pda.poolAuthority(),
    vault: pda.poolVault(),
  });
}

/** One of two steps (an instruction may add 10,240 bytes): send it twice, in one transaction if wanted. */
export function createLedgerPage(args: { payer: PublicKey; zone: number; page: number }): TransactionInstruction {
  const ledgerPage = pda.ledgerPage(args.zone, args.page);
  return generated.createLedgerPage({ payer: args.payer, zone: pda.zone(args.zone), ledgerPage }, args);
}

/** The account that bounds a zone's minting; anyone, once for each zone. */
export function createBudget(args: { payer: PublicKey; zone: number }): TransactionInstruction {
  return generated.createBudget({ payer: args.payer, zone: pda.zone(args.zone), budget: pda.budget(args.zone) });
}

/** A meter's slot and its owner. */
interface Owned {
  readonly owner: PublicKey;
  readonly meterId: Uint8Array;
  readonly zone: number;
  readonly page: number;
}

/** The pages of a meter's slot, and the accounts of GXT. */
const pages = (args: { zone: number; page: number }) => ({
  tokenConfig: pda.tokenConfig(),
  meterPage: pda.meterPage(args.zone, args.page),
  ledgerPage: pda.ledgerPage(args.zone, args.page),
  mint: pda.mint(),
});

export function setDestination(args: Owned & { destination: 'pool' | 'wallet' }): TransactionInstruction {
  const meter = pda.meter(args.zone, args.meterId);
  const ledgerPage = pda.ledgerPage(args.zone, args.page);
  const destination = args.destination === 'wallet' ? 1 : 0;
  return generated.setDestination({ owner: args.owner, meter, ledgerPage }, { destination });
}

/** Anyone; mints what the page's pool slots exported since to the pool vault, as far as the zone's budget goes. */
export function mintPage(args: { zone: number; page: number }): TransactionInstruction {
  return generated.mintPage({
    ...pages(args),
    zone: pda.zone(args.zone),
    budget: pda.budget(args.zone),
    vault: pda.poolVault(),
    mintAuthority: pda.mintAuthority(),
  });
}

/** Anyone; mints what one wallet slot exported since, within the budget, to the owner's associated account, which must exist. */
export function mintMeter(args: Owned): TransactionInstruction {
  return generated.mintMeter({
    ...pages(args),
    zone: pda.zone(args.zone),
    meter: pda.meter(args.zone, args.meterId),
    budget: pda.budget(args.zone),
    ownerToken: pda.ownerTokenAccount(args.owner),
    mintAuthority: pda.mintAuthority(),
  });
}

/** The owner burns tokens for `wh` watt-hours that the meter imported. */
export function retire(args: Owned & { wh: Wh }): TransactionInstruction {
  const meter = pda.meter(args.zone, args.meterId);
  const ownerToken = pda.ownerTokenAccount(args.owner);
  return generated.retire({ ...pages(args), owner: args.owner, meter, ownerToken }, { wh: args.wh });
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
      readonly(SystemProgram.programId),
      readonly(TOKEN_2022_ID),
    ],
    data: Buffer.from([1]),
  });
}
