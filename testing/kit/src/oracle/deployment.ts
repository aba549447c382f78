import { decodeConfig, decodeMeter, instructions, pda, type RawAccount, UserRole } from '@gridtokenx/chain-client';
import {
  asWh,
  ed25519Signer,
  encodePayload,
  encodeSign1,
  type Signer,
  sha256,
  sigStructure,
} from '@gridtokenx/protocol';
import { Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { toRecord } from '#oracle/adapters/chain/registry.js';
import type { MeterRecord } from '#oracle/domain/ports.js';

const text = (value: string) => new TextEncoder().encode(value);
export const keyOf = (name: string): Keypair => Keypair.fromSeed(sha256(text(`settlement test/${name}`)));

export const ZONE = 3;
/** The window in which all test meters are enrolled: long past, as simulated time is. */
export const ENROLLED = 1_400_000;
export const BASELINE = { importWh: asWh(1_000_000n), exportWh: asWh(500_000n) };
export const attestor = keyOf('attestor');
export const owner = keyOf('owner');

/** The operations on a chain that set-up needs, in process or over RPC. */
export interface SetUpChain {
  /** Upgrade authority of the programs, has SOL, pays. */
  readonly authority: Keypair;
  /** Lands the instructions in one transaction, or throws. */
  must(list: TransactionInstruction[], signers: Keypair[]): Promise<void>;
  account(key: PublicKey): Promise<RawAccount | null>;
}

async function get<T>(chain: SetUpChain, key: PublicKey, decode: (account: RawAccount) => T): Promise<T> {
  const found = await chain.account(key);
  if (!found) throw new Error(`no account ${key.toBase58()}`);
  return decode(found);
}

/** Attestors of a zone, and its capacity. */
export interface ZoneOptions {
  readonly attestors: readonly PublicKey[];
  readonly threshold: number;
  readonly capacityW: bigint;
  /** True for meters that sign for themselves: only they can dispute. */
  readonly deviceSigned?: boolean;
}

export const ALONE: ZoneOptions = { attestors: [attestor.publicKey], threshold: 1, capacityW: 2_000_000n };

const meterIdOf = (i: number) => sha256(text(`meter ${i}`)).slice(0, 16);

/** Returns the signer of test meter `i`. */
export const meterSigner = (i: number): Signer => ed25519Signer(sha256(text(`meter key ${i}`)));

/** Returns the enrolment that test meter `i` signs. */
const enrolmentOf = (i: number, networkId: Uint8Array, options: ZoneOptions): Uint8Array =>
  encodePayload({
    kind: 4,
    networkId,
    meterId: meterIdOf(i),
    seq: 1n,
    owner: owner.publicKey.toBytes(),
    ...BASELINE,
    zone: ZONE,
    source: 1,
    role: 0,
    deviceSigned: options.deviceSigned ?? false,
    keyEpoch: 0,
    window: ENROLLED,
  });

/**
 * Creates one zone, with one attestor by default, and `meters` registered meters on page 0; those in `toWallet` mint to
 * the owner's wallet.
 */
export async function deploy(
  chain: SetUpChain,
  meters: number,
  toWallet: readonly number[] = [],
  options: ZoneOptions = ALONE,
): Promise<{ meters: MeterRecord[]; networkId: Uint8Array }> {
  const { authority } = chain;
  const payer = authority.publicKey;
  const salt = sha256(text('salt')).slice(0, 16);
  const genesisHash = sha256(text('genesis'));
  const first = { upgradeAuthority: payer, payer, authority: payer, genesisHash, salt, development: true };
  await chain.must([instructions.initialize(first)], []);
  const zone = { authority: payer, payer, zone: ZONE, utility: payer, capacityW: options.capacityW };
  const { threshold } = options;
  const attestors = { authority: payer, zone: ZONE, threshold, attestors: [...options.attestors] };
  await chain.must([instructions.createZone(zone), instructions.announceAttestors(attestors)], []);
  await chain.must([instructions.initializeToken({ payer }), instructions.createBudget({ payer, zone: ZONE })], []);
  const user = { authority: payer, payer, zone: ZONE, wallet: owner.publicKey, commitment: sha256(text('o')) };
  await chain.must([instructions.registerUser({ ...user, role: UserRole.owner })], []);
  const { networkId } = await get(chain, pda.config(), decodeConfig);
  const ledger = instructions.createLedgerPage({ payer, zone: ZONE, page: 0 });
  const records: MeterRecord[] = [];
  for (let i = 0; i < meters; i++) {
    const meterId = meterIdOf(i);
    const signer = meterSigner(i);
    const pointCommitment = sha256(text(`point ${i}`));
    const payload = enrolmentOf(i, networkId, options);
    const message = encodeSign1(payload, signer.sign(sigStructure(payload)));
    const register = instructions.registerMeter({
      authority: payer,
      authorityIsUtility: true,
      payer,
      zone: ZONE,
      meterId,
      owner: owner.publicKey,
      pointCommitment,
    });
    const confirm = instructions.confirmMeter({
      utility: payer,
      zone: ZONE,
      meterId,
      point: pda.point(ZONE, pointCommitment),
      deviceKey: new PublicKey(signer.publicKey),
      enrolment: sha256(payload).slice(0, 16),
      // A register of 1 Wh reserves 4 W of the capacity beside the limit.
      exportLimitW: Math.min(4_000, Math.floor(Number(options.capacityW) / meters) - 4),
      importLimitW: 8_000,
      registerStepWh: 1,
      tariffClass: 1,
      deviceSigned: options.deviceSigned ?? false,
    });
    await chain.must([instructions.signedMessageVerification(signer.publicKey, message), register, confirm], []);
    if (i === 0) {
      await chain.must([instructions.createPage({ payer, zone: ZONE, page: 0 })], []);
      await chain.must([ledger, ledger], []);
    }
    await chain.must([instructions.activateSlot({ meterId, zone: ZONE, page: 0 })], []);
    if (toWallet.includes(i)) {
      const choice = { owner: owner.publicKey, meterId, zone: ZONE, page: 0, destination: 'wallet' as const };
      const account = instructions.createOwnerTokenAccount({ payer, owner: owner.publicKey });
      await chain.must([account, instructions.setDestination(choice)], [owner]);
    }
    records.push(toRecord(await get(chain, pda.meter(ZONE, meterId), decodeMeter)));
  }
  return { meters: records, networkId };
}

/** Returns base units held by a Token-2022 account or in existence of a mint (amount at 64, supply at 36). */
export function amountAt(account: RawAccount | null, offset: 36 | 64): bigint {
  return account ? new DataView(account.data.buffer, account.data.byteOffset).getBigUint64(offset, true) : 0n;
}

export const addresses = {
  mint: pda.mint(),
  vault: pda.poolVault(),
  wallet: pda.ownerTokenAccount(owner.publicKey),
  everything: (meters: readonly MeterRecord[]): PublicKey[] => [
    pda.meterPage(ZONE, 0),
    pda.ledgerPage(ZONE, 0),
    pda.budget(ZONE),
    pda.mint(),
    pda.poolVault(),
    ...new Set(meters.map((meter) => pda.ownerTokenAccount(new PublicKey(meter.owner)))),
  ],
};
