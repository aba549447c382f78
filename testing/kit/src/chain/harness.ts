import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ChainError,
  parseChainError,
  pda,
  programIds,
  type RawAccount,
  UPGRADEABLE_LOADER_ID,
} from '@gridtokenx/chain-client';
import {
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import type * as Internal from 'litesvm/dist/internal.js';
import sign from './sign.js';

// litesvm's own index uses the types of another client library; its internal module uses bytes.
const internal = createRequire(import.meta.url)('litesvm/dist/internal.js') as typeof Internal;
const artifacts = join(dirname(fileURLToPath(import.meta.url)), '../../../../programs/artifacts');

/** The `.so` files of the repository. */
export const programFiles = [
  { id: programIds.registry, path: join(artifacts, 'registry.so') },
  { id: programIds.oracle, path: join(artifacts, 'oracle.so') },
  { id: programIds.energyToken, path: join(artifacts, 'energy_token.so') },
] as const;

/** The outcome of a transaction. */
export interface Outcome {
  readonly ok: boolean;
  readonly logs: readonly string[];
  /** Compute units of the whole transaction. */
  readonly units: number;
  /** An error that one of the programs defines. */
  readonly error: ChainError | undefined;
  /** Any error in words; empty without one. */
  readonly message: string;
  /** The transaction's size in bytes. */
  readonly size: number;
}

/** Runs a chain in this process with the three programs, a payer and a clock that the test sets. */
export class Chain {
  readonly svm: InstanceType<typeof Internal.LiteSvm>;
  readonly payer: Keypair;
  /** The key that ProgramData names as the programs' upgrade authority. */
  readonly upgradeAuthority: Keypair;

  constructor(svm?: InstanceType<typeof Internal.LiteSvm>, keys?: { payer: Keypair; upgradeAuthority: Keypair }) {
    this.svm = svm ?? new internal.LiteSvm();
    this.payer = keys?.payer ?? Keypair.generate();
    this.upgradeAuthority = keys?.upgradeAuthority ?? Keypair.generate();
    this.svm.setTransactionHistory(0n);
    if (svm) return;
    this.svm.airdrop(this.payer.publicKey.toBytes(), 10n ** 14n);
    for (const { id, path } of programFiles) this.#deploy(id, readFileSync(path));
  }

  /**
   * Deploys as the upgradeable loader does: the program's account names a ProgramData account, which names the upgrade
   * authority.
   */
  #deploy(id: PublicKey, code: Uint8Array): void {
    this.svm.addProgramWithLoader(id.toBytes(), code, UPGRADEABLE_LOADER_ID.toBytes());
    const data = pda.programData(id);
    const account = this.account(data);
    if (!account) throw new Error(`no ProgramData account of ${id.toBase58()}`);
    const bytes = Uint8Array.from(account.data);
    bytes[12] = 1;
    bytes.set(this.upgradeAuthority.publicKey.toBytes(), 13);
    this.put(data, { owner: account.owner, data: bytes });
  }

  /** Unix seconds. */
  get time(): number {
    return Number(this.svm.getClock().unixTimestamp);
  }
  set time(seconds: number) {
    const clock = this.svm.getClock();
    clock.unixTimestamp = BigInt(seconds);
    this.svm.setClock(clock);
  }

  account(key: PublicKey): RawAccount | undefined {
    const found = this.svm.getAccount(key.toBytes());
    return found ? { owner: new PublicKey(found.owner()), data: found.data() } : undefined;
  }

  /** Throws when the account is missing. */
  get<T>(key: PublicKey, decode: (account: RawAccount) => T): T {
    const found = this.account(key);
    if (!found) throw new Error(`no account ${key.toBase58()}`);
    return decode(found);
  }

  /** Writes any account: what an attacker with another program, or a broken node, would show. */
  put(key: PublicKey, account: RawAccount): void {
    const lamports = this.svm.minimumBalanceForRentExemption(BigInt(account.data.length));
    const value = new internal.Account(lamports, account.data, account.owner.toBytes(), false, 0n);
    this.svm.setAccount(key.toBytes(), value);
  }

  /** Returns a copy of the whole chain at this moment. */
  fork(): Chain {
    const copy = internal.LiteSvm.fromBytes(this.svm.toBytes());
    return new Chain(copy, { payer: this.payer, upgradeAuthority: this.upgradeAuthority });
  }

  /**
   * Sends one v0 transaction with the instructions unchanged. Each transaction is new, however often the same
   * instructions were sent before. Only those of `signers` sign whose signature the instructions require.
   */
  send(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = [], payer = this.payer): Outcome {
    this.svm.expireBlockhash();
    const message = new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: this.svm.latestBlockhash(),
      instructions: [...instructions],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    const needed = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
    const signed = message.serialize();
    for (const key of new Set([payer, ...signers])) {
      if (needed.some((wanted) => wanted.equals(key.publicKey)))
        transaction.addSignature(key.publicKey, sign(key, signed));
    }
    const bytes = transaction.serialize();
    const result = this.svm.sendVersionedTransaction(bytes);
    const failed = result instanceof internal.FailedTransactionMetadata;
    const meta = failed ? result.meta() : result;
    const logs = meta.logs();
    return {
      ok: !failed,
      logs,
      units: Number(meta.computeUnitsConsumed()),
      error: failed ? parseChainError(logs) : undefined,
      message: failed ? result.toString() : '',
      size: bytes.length,
    };
  }

  /** Sends like `send`, and throws with the logs when the transaction fails. */
  must(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): Outcome {
    const outcome = this.send(instructions, signers);
    if (!outcome.ok) throw new Error(`${outcome.message}\n${outcome.logs.join('\n')}`);
    return outcome;
  }
}

/** Returns the compute units that `program` consumed in the outcome's last call of it. */
export function unitsOf(outcome: Outcome, program: PublicKey): number {
  const pattern = new RegExp(`^Program ${program.toBase58()} consumed (\\d+) of`);
  for (const line of [...outcome.logs].reverse()) {
    const units = pattern.exec(line)?.[1];
    if (units) return Number(units);
  }
  throw new Error(`${program.toBase58()} was not called:\n${outcome.logs.join('\n')}`);
}

export const computeLimit = (units: number) => ComputeBudgetProgram.setComputeUnitLimit({ units });
