import { createRequire } from 'node:module';
import { parseChainError, pda, type RawAccount } from '@gridtokenx/chain-client';
import type { BlockhashState } from '@gridtokenx/chain-sender';
import { base58Encode } from '@gridtokenx/protocol';
import { Connection, type Keypair, PublicKey, Transaction, VersionedTransaction } from '@solana/web3.js';
import { made } from '#oracle/adapters/chain/accounts.js';
import { AttestorBuilder, singleAttestor } from '#oracle/adapters/chain/builder.js';
import { attestedEvent } from '#oracle/adapters/chain/events.js';
import { RpcNode } from '#oracle/adapters/chain/node.js';
import { readLedgerPage, readMeterPage } from '#oracle/adapters/chain/page-read.js';
import type { MeterRecord } from '#oracle/domain/ports.js';
import type {
  ChainNode,
  Outcome,
  PageRead,
  SettlementStore,
  TransactionBuilder,
} from '#oracle/domain/settlement/ports.js';
import { Chain, programFiles } from '../chain/harness.js';
import { reached } from '../reached.js';
import { addresses, amountAt, attestor, deploy, type SetUpChain, ZONE, type ZoneOptions } from './deployment.js';

/** Accounts at one moment. */
export type Saved = ReadonlyMap<string, RawAccount | null>;

/** A chain that settlement runs on, with the operations that a test needs. */
export interface ChainFixture {
  readonly name: string;
  readonly node: ChainNode;
  readonly builder: TransactionBuilder;
  readonly meters: readonly MeterRecord[];
  readonly networkId: Uint8Array;
  readonly rpcUrl: string | null;
  /** Sends any party's transactions; its authority is the zone's utility too. */
  readonly operator: SetUpChain;
  account(key: PublicKey): Promise<RawAccount | null>;
  /** Expires all blockhashes known until now. */
  expireBlockhashes(): Promise<void>;
  save(): Promise<Saved>;
  restore(saved: Saved): Promise<void>;
  close(): void;
}

const only = () => singleAttestor(attestor.publicKey, async () => [attestor.publicKey]);

// ---------------------------------------------------------------- in process: the programs themselves, no network

export class LiteNode implements ChainNode {
  readonly chain: Chain;
  #outcomes = new Map<string, Outcome>();
  #height = 100;
  readonly #heights = new Map<string, number>();
  constructor(chain: Chain) {
    this.chain = chain;
  }
  latestBlockhash() {
    const blockhash = this.chain.svm.latestBlockhash();
    this.#heights.set(blockhash, this.#height);
    return { blockhash, lastValidBlockHeight: this.#height + 150 };
  }
  expire(): void {
    this.chain.svm.expireBlockhash();
    this.#height += 151;
  }
  /** Simulates a restarted node: it knows no earlier signature. */
  forget(): void {
    this.#outcomes = new Map();
  }
  async readPage(zone: number, page: number): Promise<PageRead> {
    const read = <T>(key: PublicKey, decode: (account: RawAccount) => T) => {
      const found = made(this.chain.account(key));
      return found ? decode(found) : null;
    };
    return {
      chainSlot: this.#height,
      page: read(pda.meterPage(zone, page), readMeterPage),
      ledger: read(pda.ledgerPage(zone, page), readLedgerPage),
    };
  }
  async send(raw: Uint8Array): Promise<void> {
    const transaction = VersionedTransaction.deserialize(raw);
    const signature = base58Encode(transaction.signatures[0] ?? new Uint8Array());
    const { recentBlockhash } = transaction.message;
    // The bank would answer "already processed" or "blockhash not found"; neither changes anything.
    if (this.#outcomes.has(signature) || recentBlockhash !== this.chain.svm.latestBlockhash()) return;
    const result = this.chain.svm.sendVersionedTransaction(raw);
    const isFailed = 'err' in result;
    const logs = (isFailed ? result.meta() : result).logs();
    this.#height++;
    this.#outcomes.set(
      signature,
      isFailed
        ? { kind: 'failed', slot: this.#height, error: parseChainError(logs)?.name ?? result.toString() }
        : { kind: 'landed', slot: this.#height, event: attestedEvent(logs) },
    );
  }
  async outcome(signature: string): Promise<Outcome> {
    return this.#outcomes.get(signature) ?? { kind: 'unknown' };
  }
  async blockhashState(intent: { blockhash: string; lastValidHeight: number }): Promise<BlockhashState> {
    if (this.#height > intent.lastValidHeight) return 'expired';
    return this.#heights.has(intent.blockhash) ? 'valid' : 'unfamiliar';
  }
}

/** Returns true when an account exists, for a builder. */
export const existsOn =
  (account: (key: PublicKey) => Promise<RawAccount | null>) =>
  async (key: PublicKey): Promise<boolean> =>
    ((await account(key))?.data.length ?? 0) > 0;

export async function liteFixture(
  meters: number,
  toWallet: readonly number[] = [],
  zone?: ZoneOptions,
): Promise<ChainFixture & { lite: LiteNode }> {
  const chain = new Chain();
  chain.svm.airdrop(attestor.publicKey.toBytes(), 10n ** 12n);
  chain.svm.airdrop(chain.upgradeAuthority.publicKey.toBytes(), 10n ** 12n);
  chain.time = 1_700_000_000;
  const account = async (key: PublicKey) => chain.account(key) ?? null;
  const setUp: SetUpChain = {
    authority: chain.upgradeAuthority,
    account,
    async must(list, signers) {
      const outcome = chain.send(list, signers, chain.upgradeAuthority);
      if (!outcome.ok) throw new Error(`${outcome.message}\n${outcome.logs.join('\n')}`);
    },
  };
  for (const key of zone?.attestors ?? []) chain.svm.airdrop(key.toBytes(), 10n ** 12n);
  const deployed = await deploy(setUp, meters, toWallet, zone);
  const lite = new LiteNode(chain);
  return {
    name: 'LiteSVM',
    operator: setUp,
    lite,
    node: lite,
    builder: new AttestorBuilder(async () => lite.latestBlockhash(), attestor, only(), existsOn(account)),
    ...deployed,
    rpcUrl: null,
    account,
    async expireBlockhashes() {
      lite.expire();
    },
    async save() {
      const keys = addresses.everything(deployed.meters);
      return new Map(keys.map((key) => [key.toBase58(), chain.account(key) ?? null]));
    },
    async restore(saved) {
      for (const [key, value] of saved) if (value) chain.put(new PublicKey(key), value);
      lite.forget();
    },
    close: () => {},
  };
}

// ---------------------------------------------------------------- a real node over RPC

interface SurfnetBinding {
  readonly rpcUrl: string;
  readonly payerSecretKey: Uint8Array;
  deploy(options: { programId: string; soPath: string }): void;
  drainEvents(): unknown[];
  stop(): void;
}

/** Calls one of a node's own methods; rejects with the error that the node names. */
async function rpcCall(url: string, method: string, params: unknown[]): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const headers = { 'content-type': 'application/json' };
  const answer = (await (await fetch(url, { method: 'POST', headers, body })).json()) as {
    result?: unknown;
    error?: { message: string };
  };
  if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
  return answer.result;
}

export async function surfpoolFixture(
  meters: number,
  toWallet: readonly number[] = [],
  zone?: ZoneOptions,
): Promise<ChainFixture> {
  const { Surfnet } = createRequire(import.meta.url)('@solana/surfpool-linux-x64-gnu');
  const surfnet = Surfnet.startWithConfig({
    offline: true,
    slotTimeMs: 20,
    blockProductionMode: 'clock',
  }) as SurfnetBinding;
  // The node's queue of events is bounded, and the node stops once the queue is full.
  const draining = setInterval(() => surfnet.drainEvents(), 200);
  const connection = new Connection(surfnet.rpcUrl, { commitment: 'confirmed', disableRetryOnRateLimit: true });
  const call = (method: string, params: unknown[]) => rpcCall(surfnet.rpcUrl, method, params);
  const { Keypair: Keys } = await import('@solana/web3.js');
  const authority = Keys.fromSecretKey(Uint8Array.from(surfnet.payerSecretKey));
  for (const { id, path } of programFiles) {
    surfnet.deploy({ programId: id.toBase58(), soPath: path });
    await call('surfnet_setProgramAuthority', [id.toBase58(), authority.publicKey.toBase58()]);
  }
  for (const key of zone?.attestors ?? [attestor.publicKey]) await call('requestAirdrop', [key.toBase58(), 100e9]);
  const account = (key: PublicKey) => connection.getAccountInfo(key, 'confirmed');
  const setUp: SetUpChain = {
    authority,
    account,
    async must(list, signers: Keypair[]) {
      const transaction = new Transaction().add(...list);
      transaction.recentBlockhash = (await connection.getLatestBlockhash('confirmed')).blockhash;
      transaction.feePayer = authority.publicKey;
      transaction.sign(authority, ...signers);
      const signature = await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
      await reached(`confirmation of ${signature}`, async () => {
        const status = (await connection.getSignatureStatuses([signature])).value[0];
        if (status?.err) throw new Error(JSON.stringify(status.err));
        return status?.confirmationStatus === 'confirmed' || status?.confirmationStatus === 'finalized';
      });
    },
  };
  await reached('SOL', async () => (await connection.getBalance(attestor.publicKey, 'confirmed')) > 0);
  const deployed = await deploy(setUp, meters, toWallet, zone);
  return {
    name: 'Surfpool',
    operator: setUp,
    node: new RpcNode(connection, 'confirmed'),
    builder: new AttestorBuilder(() => connection.getLatestBlockhash('confirmed'), attestor, only(), existsOn(account)),
    ...deployed,
    rpcUrl: surfnet.rpcUrl,
    account,
    async expireBlockhashes() {
      const { lastValidBlockHeight } = await connection.getLatestBlockhash('confirmed');
      await reached('the height', async () => (await connection.getBlockHeight('confirmed')) > lastValidBlockHeight);
    },
    async save() {
      const keys = addresses.everything(deployed.meters);
      const infos = await connection.getMultipleAccountsInfo(keys, 'confirmed');
      return new Map(keys.map((key, i) => [key.toBase58(), infos[i] ?? null]));
    },
    async restore(saved) {
      for (const [key, value] of saved) {
        if (!value) continue;
        const data = Buffer.from(value.data).toString('hex');
        const lamports = await connection.getMinimumBalanceForRentExemption(value.data.length);
        await call('surfnet_setAccount', [key, { lamports, owner: value.owner.toBase58(), data, executable: false }]);
      }
    },
    close: () => {
      clearInterval(draining);
      surfnet.stop();
    },
  };
}

export { reached };

/** Returns the chain's figures that must be exact. */
export async function figures(fixture: ChainFixture): Promise<{
  slots: { exportWh: bigint; importWh: bigint; window: number; mintedWh: bigint }[];
  supply: bigint;
  vault: bigint;
  wallet: bigint;
  version: bigint;
}> {
  const { page, ledger } = await fixture.node.readPage(ZONE, 0);
  if (!page || !ledger) throw new Error('no pages');
  const slots = fixture.meters.map((meter) => {
    const slot = page.slots[meter.slot ?? -1];
    if (!slot) throw new Error('no slot');
    const { exportWh, importWh, window } = slot;
    return { exportWh, importWh, window, mintedWh: ledger.slots[meter.slot ?? -1]?.mintedWh ?? 0n };
  });
  return {
    slots,
    supply: amountAt(await fixture.account(addresses.mint), 36),
    vault: amountAt(await fixture.account(addresses.vault), 64),
    wallet: amountAt(await fixture.account(addresses.wallet), 64),
    version: page.version,
  };
}

export type { SettlementStore };
