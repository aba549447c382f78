import { decodeConfig, pda } from '@gridtokenx/chain-client';
import { ask } from '@gridtokenx/chain-sender/rpc';
import { equalBytes, type MeterId, toHex } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import { Connection, type Keypair, type PublicKey } from '@solana/web3.js';
import { made } from '../adapters/chain/accounts.js';
import { zoneReader } from '../adapters/chain/cosign/zone.js';
import { readKeypair } from '../adapters/chain/keypair.js';
import { RpcNode } from '../adapters/chain/node.js';
import { RpcRegistry } from '../adapters/chain/registry.js';

export interface LinkOptions {
  /** 8 bytes; compared with the registry's Config. */
  readonly networkId: Uint8Array;
  readonly rpcUrl: string;
  /** Solana JSON array of 64 bytes. */
  readonly attestorKeyFile: string;
  readonly commitment: 'confirmed' | 'finalized';
}

export interface LinkDeps {
  readonly options: LinkOptions;
  /** Meters that the ledger knows, hex. A registry that lacks one of them is an older or a foreign registry. */
  readonly knownMeters: readonly MeterId[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A node, and the parts that read from it: the registry first, because ledger and intake depend on it. */
export type ChainLink = ReturnType<typeof connectChain>;

/** Sends no request yet, so a node that is away delays nothing here. Throws when the attestor's key cannot be read. */
export function connectChain({ options, knownMeters, clock, logger }: LinkDeps) {
  const { commitment, rpcUrl } = options;
  const attestor: Keypair = readKeypair(options.attestorKeyFile);
  const connection = new Connection(rpcUrl, { commitment, disableRetryOnRateLimit: true });
  const account = async (what: string, key: PublicKey) =>
    made(await ask(what, connection.getAccountInfo(key, commitment)));
  return {
    options,
    attestor,
    connection,
    account,
    registry: new RpcRegistry(connection, clock, logger, knownMeters, attestor.publicKey),
    node: new RpcNode(connection, commitment),
    zoneSet: zoneReader((key) => account('reading the zone', key)),
    latestBlockhash: () => ask('asking for a blockhash', connection.getLatestBlockhash(commitment)),
    balance: () => ask("reading the attestor's balance", connection.getBalance(attestor.publicKey, commitment)),
    /** Returns a problem in words while the node serves another network or none yet; null when the network is ours. */
    async checkNetwork(): Promise<string | null> {
      const found = await account('reading the registry', pda.config());
      if (!found) return 'waiting for the registry to be initialised';
      const { networkId } = decodeConfig(found);
      if (equalBytes(networkId, options.networkId)) return null;
      return `the chain is network ${toHex(networkId)}, this oracle is of ${toHex(options.networkId)}: nothing is sent`;
    },
  };
}
