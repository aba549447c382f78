import { pda } from '@gridtokenx/chain-client';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import { ask, RpcSendNode } from '@gridtokenx/chain-sender/rpc';
import type { AccountInfo, Connection } from '@solana/web3.js';
import type { AttestedEvent, ChainNode, PageRead } from '../../domain/settlement/ports.js';
import { made } from './accounts.js';
import { attestedEvent } from './events.js';
import { readLedgerPage, readMeterPage } from './page-read.js';

type Account = AccountInfo<Buffer> | null | undefined;

/** The chain over JSON-RPC. */
export class RpcNode extends RpcSendNode<AttestedEvent> implements ChainNode {
  readonly #connection: Connection;
  readonly #commitment: 'confirmed' | 'finalized';

  constructor(connection: Connection, commitment: 'confirmed' | 'finalized') {
    super(connection, commitment, attestedEvent);
    this.#connection = connection;
    this.#commitment = commitment;
  }

  async readPage(zone: number, page: number): Promise<PageRead> {
    const addresses = [pda.meterPage(zone, page), pda.ledgerPage(zone, page)];
    const { context, value } = await ask(
      'reading a page',
      this.#connection.getMultipleAccountsInfoAndContext(addresses, this.#commitment),
    );
    const decode = <P>(found: Account, decoder: (raw: AccountInfo<Buffer>) => P): P | null => {
      const account = made(found);
      if (!account) return null;
      try {
        return decoder(account);
      } catch (cause) {
        throw new NodeUnavailable(`page ${zone}/${page}: ${String(cause)}`, { cause });
      }
    };
    return {
      chainSlot: context.slot,
      page: decode(value[0], readMeterPage),
      ledger: decode(value[1], readLedgerPage),
    };
  }
}
