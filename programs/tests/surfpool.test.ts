import { createRequire } from 'node:module';
import { auditChain } from '@gridtokenx/audit/main';
import {
  buildAttestPage,
  decodeConfig,
  decodeMeterPage,
  instructions,
  parseChainError,
  pda,
  programIds,
  type RawAccount,
} from '@gridtokenx/chain-client';
import { asWh, base58Decode, encodePayload, sha256 } from '@gridtokenx/protocol';
import { programFiles } from '@gridtokenx/testing-kit/chain/harness';
import { signed, statement, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import {
  Connection,
  Keypair,
  type PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { expect, test } from 'vitest';

interface Node {
  readonly rpcUrl: string;
  readonly wsUrl: string;
  readonly payerSecretKey: number[];
  deploy(program: { programId: string; soPath: string }): void;
  stop(): void;
}

/** Returns the embedded node; undefined where its package has no build. */
function start(): Node | undefined {
  try {
    const { Surfnet } = createRequire(import.meta.url)('@solana/surfpool-linux-x64-gnu') as {
      Surfnet: { startWithConfig(config: object): Node };
    };
    return Surfnet.startWithConfig({ offline: true, slotTimeMs: 20 });
  } catch (error) {
    console.warn(
      `SKIPPED, there is no embedded node on this platform (npm package @solana/surfpool-linux-x64-gnu): ${error}`,
    );
    return undefined;
  }
}

class Client {
  readonly connection: Connection;
  readonly payer: Keypair;

  constructor(node: Node) {
    this.connection = new Connection(node.rpcUrl, { commitment: 'confirmed', wsEndpoint: node.wsUrl });
    this.payer = Keypair.fromSecretKey(Uint8Array.from(node.payerSecretKey));
  }

  /** Sends, and waits until the signature has a status. Returns the name of the program's error, or 'done'. */
  async send(list: TransactionInstruction[], signers: Keypair[] = []): Promise<string> {
    const { blockhash } = await this.connection.getLatestBlockhash();
    const message = new TransactionMessage({
      payerKey: this.payer.publicKey,
      recentBlockhash: blockhash,
      instructions: list,
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    transaction.sign([this.payer, ...signers]);
    const signature = await this.connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      const status = (await this.connection.getSignatureStatuses([signature])).value[0];
      if (status?.confirmationStatus && status.confirmationStatus !== 'processed') {
        return status.err ? (parseChainError(status.err)?.name ?? JSON.stringify(status.err)) : 'done';
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`${signature} has no status after 20 s`);
  }

  async get<T>(key: PublicKey, decode: (account: RawAccount) => T): Promise<T> {
    const account = await this.connection.getAccountInfo(key);
    if (!account) throw new Error(`no account ${key.toBase58()}`);
    return decode(account);
  }

  async rpc(url: string, method: string, params: unknown[]): Promise<void> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { error } = (await response.json()) as { error?: { message: string } };
    if (error) throw new Error(`${method}: ${error.message}`);
  }
}

test('the whole way over real RPC on the embedded node, and the audit agrees', async ({ skip }) => {
  const node = start();
  if (!node) return skip();
  try {
    const client = new Client(node);
    const { payer } = client;
    for (const { id, path } of programFiles) node.deploy({ programId: id.toBase58(), soPath: path });
    // The world's builders, with this node's payer and clock instead of a chain in this process.
    const plan = new World({ development: true, attestors: 1, threshold: 1 });
    const { zone, authority, utility, installer, owner } = plan;
    const [attestor] = plan.attestors;
    if (!attestor) throw new Error('no attestor');
    const genesisHash = base58Decode(await client.connection.getGenesisHash());
    const initialize = instructions.initialize({
      upgradeAuthority: authority.publicKey,
      payer: payer.publicKey,
      authority: authority.publicKey,
      genesisHash,
      salt: new Uint8Array(16).fill(9),
      development: true,
    });
    // There a fresh deployment has the system program as its upgrade authority, for which nobody can sign.
    expect(await client.send([initialize], [authority])).toBe('NotUpgradeAuthority');
    await client.rpc(node.rpcUrl, 'surfnet_setProgramAuthority', [
      programIds.registry.toBase58(),
      authority.publicKey.toBase58(),
    ]);
    expect(await client.send([initialize], [authority])).toBe('done');
    expect(await client.send([initialize, instructions.initializeToken({ payer: payer.publicKey })], [authority])).toBe(
      'AccountAlreadyInitialized',
    );
    const wallet = (key: Keypair, role: 1 | 2) =>
      instructions.registerUser({
        authority: utility.publicKey,
        payer: payer.publicKey,
        zone,
        wallet: key.publicKey,
        commitment: new Uint8Array(32),
        role,
      });
    const create = instructions.createZone({
      authority: authority.publicKey,
      payer: payer.publicKey,
      zone,
      utility: utility.publicKey,
      capacityW: 100_000n,
    });
    const set = instructions.announceAttestors({
      authority: authority.publicKey,
      zone,
      threshold: 1,
      attestors: [attestor.publicKey],
    });
    expect(await client.send([instructions.initializeToken({ payer: payer.publicKey })])).toBe('done');
    expect(await client.send([create, set], [authority])).toBe('done');
    expect(await client.send([wallet(installer, 2), wallet(owner, 1)], [utility])).toBe('done');

    const meter = plan.meter('a');
    const { networkId } = await client.get(pda.config(), decodeConfig);
    const now = windowAt(Date.now() / 1_000);
    const payload = enrolment(plan, meter.id, networkId, now - 96);
    const pageInstructions = [
      instructions.createPage({ payer: payer.publicKey, zone, page: 0 }),
      instructions.createLedgerPage({ payer: payer.publicKey, zone, page: 0 }),
      instructions.createLedgerPage({ payer: payer.publicKey, zone, page: 0 }),
    ];
    const register = instructions.registerMeter({
      authority: installer.publicKey,
      authorityIsUtility: false,
      payer: payer.publicKey,
      zone,
      meterId: meter.id,
      owner: owner.publicKey,
      pointCommitment: meter.commitment,
    });
    const confirm = instructions.confirmMeter({
      utility: utility.publicKey,
      zone,
      meterId: meter.id,
      point: pda.point(zone, meter.commitment),
      deviceKey: meter.key.publicKey,
      enrolment: sha256(payload).slice(0, 16),
      exportLimitW: 5_000,
      importLimitW: 10_000,
      registerStepWh: 1,
      tariffClass: 1,
      deviceSigned: false,
    });
    const verify = instructions.signedMessageVerification(meter.key.publicKey.toBytes(), signed(meter.key, payload));
    expect(await client.send([verify, register], [installer])).toBe('done');
    expect(await client.send([confirm], [utility])).toBe('done');
    expect(await client.send([instructions.createBudget({ payer: payer.publicKey, zone })])).toBe('done');
    expect(await client.send(pageInstructions)).toBe('done');
    expect(await client.send([instructions.activateSlot({ meterId: meter.id, zone, page: 0 })])).toBe('done');

    const total = { exportWh: asWh(412n), importWh: asWh(5n) };
    const window = now - 95;
    const items = [{ slot: 0, ...total, payload: statement(0, window, total) }];
    const read = await client.get(pda.meterPage(zone, 0), decodeMeterPage);
    const attest = buildAttestPage({ zone, page: 0, read, window, items, attestors: [attestor.publicKey] });
    expect(await client.send([attest], [attestor])).toBe('done');
    expect(await client.send([attest], [attestor])).toBe('StaleVersion');
    expect(await client.send([instructions.mintPage({ zone, page: 0 })])).toBe('done');

    const result = await auditChain(node.rpcUrl);
    expect(result.findings).toEqual([]);
    expect(result.figures).toMatchObject({
      meters: 1,
      export_wh: '412',
      supply_base_units: '412000',
      vault_base_units: '412000',
    });
  } finally {
    node.stop();
  }
});

function enrolment(world: World, meterId: Uint8Array, networkId: Uint8Array, window: number): Uint8Array {
  return encodePayload({
    kind: 4,
    networkId,
    meterId,
    seq: 1n,
    owner: world.owner.publicKey.toBytes(),
    importWh: 1n,
    exportWh: 2n,
    zone: world.zone,
    source: 1,
    role: 0,
    deviceSigned: false,
    keyEpoch: 0,
    window,
  });
}
