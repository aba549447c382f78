import { decodeLedgerPage, decodeMeter, decodeMeterPage, pda } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { Connection } from '@solana/web3.js';

/** A slot on chain at one moment; energies since enrolment. */
export interface SlotView {
  readonly meterId: string;
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly mintedWh: bigint;
}

/** Converts raw registers into totals: total = carried + raw - baseline. */
export interface MeterView {
  readonly meterId: string;
  readonly zone: number;
  readonly page: number;
  readonly slot: number;
  readonly enrolmentWindow: number;
  readonly importOffset: bigint;
  readonly exportOffset: bigint;
}

/** The zone of `npm start`. */
const ZONE = 1;

/** Reads a chain over RPC. All methods reject while the node is away. */
export class ChainView {
  readonly #connection: Connection;
  constructor(url: string) {
    const timed: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(5_000) });
    this.#connection = new Connection(url, { commitment: 'confirmed', fetch: timed as never });
  }

  async meters(ids: readonly string[]): Promise<MeterView[]> {
    const accounts = await this.#connection.getMultipleAccountsInfo(ids.map((id) => pda.meter(ZONE, fromHex(id))));
    return ids.map((meterId, i) => {
      const account = accounts[i];
      if (!account) throw new Error(`meter ${meterId} is not registered`);
      const m = decodeMeter(account);
      const importOffset = m.carriedImportWh - m.baselineImportWh;
      const exportOffset = m.carriedExportWh - m.baselineExportWh;
      const { zone, page, slot, enrolmentWindow } = m;
      return { meterId, zone, page, slot, enrolmentWindow, importOffset, exportOffset };
    });
  }

  /** Reads all meters' slots, from pages at one slot of the chain. */
  async slots(meters: readonly MeterView[]): Promise<SlotView[]> {
    const [first] = meters;
    if (!first) return [];
    const { zone, page } = first;
    const read = await this.#connection.getMultipleAccountsInfo([
      pda.meterPage(zone, page),
      pda.ledgerPage(zone, page),
    ]);
    if (!read[0] || !read[1]) throw new Error('the page is not there');
    const pages = { totals: decodeMeterPage(read[0]), ledger: decodeLedgerPage(read[1]) };
    return meters.map(({ meterId, slot }) => {
      const totals = pages.totals.slots[slot];
      const ledger = pages.ledger.slots[slot];
      if (!totals || !ledger) throw new Error(`meter ${meterId} has no slot`);
      const { window, importWh, exportWh } = totals;
      return { meterId, window, importWh, exportWh, mintedWh: ledger.mintedWh };
    });
  }
}
