import { decodeLedgerPage, decodeMeter, decodeMeterPage, pda } from '@gridtokenx/chain-client';
import { BASE_UNITS_PER_WH, fromHex } from '@gridtokenx/protocol';
import type { Connection, PublicKey } from '@solana/web3.js';
import { ZONE } from './deployment.js';

/** A meter's totals on chain since its enrolment. */
export interface ChainTotals {
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly mintedBaseUnits: bigint;
}

/** Reads meters' totals from the pages; reads every page once. Throws where a meter has no slot. */
export async function chainTotals(
  connection: Connection,
  meterIds: readonly string[],
): Promise<Map<string, ChainTotals>> {
  const pages = new Map<string, Promise<{ data: Buffer; owner: PublicKey }>>();
  const read = (address: PublicKey) => {
    const key = address.toBase58();
    const known = pages.get(key);
    if (known) return known;
    const fetched = connection.getAccountInfo(address, 'confirmed').then((account) => {
      if (!account) throw new Error(`account ${key} is not there`);
      return account;
    });
    pages.set(key, fetched);
    return fetched;
  };
  const totals = new Map<string, ChainTotals>();
  for (const id of meterIds) {
    const meter = decodeMeter(await read(pda.meter(ZONE, fromHex(id))));
    const slot = decodeMeterPage(await read(pda.meterPage(meter.zone, meter.page))).slots[meter.slot];
    const ledger = decodeLedgerPage(await read(pda.ledgerPage(meter.zone, meter.page))).slots[meter.slot];
    if (!slot || !ledger) throw new Error(`meter ${id} has no slot`);
    totals.set(id, {
      window: slot.window,
      importWh: slot.importWh,
      exportWh: slot.exportWh,
      mintedBaseUnits: ledger.mintedWh * BASE_UNITS_PER_WH,
    });
  }
  return totals;
}

/** Returns the supply of the energy token in base units. */
export async function supply(connection: Connection): Promise<bigint> {
  return BigInt((await connection.getTokenSupply(pda.mint(), 'confirmed')).value.amount);
}
