import { BorshCoder, type Idl, web3 } from '@coral-xyz/anchor';
import energyToken from '../../../programs/idl/energy_token.json' with { type: 'json' };
import oracle from '../../../programs/idl/oracle.json' with { type: 'json' };
import registry from '../../../programs/idl/registry.json' with { type: 'json' };
import ids from '../../../programs/ids.json' with { type: 'json' };

/** Public inputs: the committed IDLs with the programs' addresses, and the standard programs of the chain. */
const idls = { registry, oracle, energyToken } as const;
type ProgramName = keyof typeof idls;

const TOKEN_2022 = new web3.PublicKey('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb');
const ASSOCIATED_TOKEN = new web3.PublicKey('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL');
/** The trading program does not exist yet; its address is fixed, and its vault authority follows from it. */
const TRADING = new web3.PublicKey(ids.trading);
const TOKEN_ACCOUNT_BYTES = 165;
const DISCRIMINATOR_BYTES = 8;

export const addresses = {
  registry: new web3.PublicKey(registry.address),
  oracle: new web3.PublicKey(oracle.address),
  energyToken: new web3.PublicKey(energyToken.address),
  trading: TRADING,
  token2022: TOKEN_2022,
} as const;

/** An account as stored on chain. */
export interface Raw {
  readonly address: string;
  readonly owner: string;
  readonly data: Buffer;
}

/** A decoded account of one of the programs: numbers as bigint, keys as base58, bytes as hexadecimal. */
export interface Decoded {
  readonly address: string;
  readonly name: string;
  readonly value: Fields;
}
export type Value = bigint | string | boolean | Fields | readonly Value[];
export interface Fields {
  readonly [field: string]: Value;
}

/** Everything that the check uses, read together. */
export interface Snapshot {
  readonly genesisHash: string;
  readonly slot: number;
  readonly accounts: { readonly [program in ProgramName]: readonly Decoded[] };
  /** Accounts that no IDL explains. */
  readonly unknown: readonly string[];
  readonly mint: Raw | undefined;
  readonly tokenAccounts: readonly Raw[];
  readonly tradingAccounts: number;
  /** Number of accounts that belong to one of the programs and that it has not made; see `isMade`. */
  readonly foreignAccounts: number;
}

/** Returns a PDA in base58. Text seeds are UTF-8, numbers little-endian in as many bytes as given. */
export function derive(program: web3.PublicKey, ...seeds: (string | Buffer | readonly [number, 2 | 4])[]): string {
  const parts = seeds.map((seed) => {
    if (typeof seed === 'string') return Buffer.from(seed);
    if (Buffer.isBuffer(seed)) return seed;
    const [value, size] = seed as readonly [number, 2 | 4];
    const out = Buffer.alloc(size);
    out.writeUIntLE(value, 0, size);
    return out;
  });
  return web3.PublicKey.findProgramAddressSync(parts, program)[0].toBase58();
}

/** Returns the associated Token-2022 account of `owner`. */
export function associated(owner: string, mint: string): string {
  const keys = [new web3.PublicKey(owner), TOKEN_2022, new web3.PublicKey(mint)].map((key) => key.toBuffer());
  return derive(ASSOCIATED_TOKEN, ...keys);
}

/** Converts Anchor's BN, PublicKey, arrays and structs to plain values. */
function plain(value: unknown): Value {
  if (typeof value === 'number') return BigInt(value);
  if (typeof value === 'boolean' || typeof value === 'string' || typeof value === 'bigint') return value;
  if (value instanceof web3.PublicKey) return value.toBase58();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) {
    const isBytes = value.length > 0 && value.every((item) => typeof item === 'number');
    return isBytes ? Buffer.from(value).toString('hex') : value.map(plain);
  }
  if (typeof value === 'object' && value !== null) {
    if (value.constructor.name === 'BN') return BigInt(String(value));
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  throw new TypeError(`cannot read ${String(value)}`);
}

/**
 * Returns true when its program has written the account. Anyone can give an account to a program, and only the program
 * can write to it. Half of a ledger page has no discriminator either.
 */
function isMade({ data }: Raw): boolean {
  return data.subarray(0, DISCRIMINATOR_BYTES).some((byte) => byte !== 0);
}

/** Decodes the account by the IDL of its program; undefined when no type of the IDL has its discriminator. */
function decode(program: ProgramName, raw: Raw): Decoded | undefined {
  const idl = idls[program];
  const found = idl.accounts.find(({ discriminator }) =>
    discriminator.every((byte, index) => raw.data[index] === byte),
  );
  if (!found) return undefined;
  const value = plain(new BorshCoder(idl as Idl).accounts.decode(found.name, raw.data));
  return { address: raw.address, name: found.name, value: value as Fields };
}

async function programAccounts(
  connection: web3.Connection,
  program: web3.PublicKey,
  filters: web3.GetProgramAccountsFilter[] = [],
): Promise<Raw[]> {
  const found = await connection.getProgramAccounts(program, { filters });
  return found
    .map(({ pubkey, account }) => ({
      address: pubkey.toBase58(),
      owner: account.owner.toBase58(),
      data: Buffer.from(account.data),
    }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Reads everything once. */
async function readOnce(connection: web3.Connection): Promise<Snapshot> {
  const mintKey = new web3.PublicKey(derive(addresses.energyToken, 'mint'));
  const unknown: string[] = [];
  let foreignAccounts = 0;
  const made = async (program: web3.PublicKey): Promise<Raw[]> => {
    const all = await programAccounts(connection, program);
    const written = all.filter(isMade);
    foreignAccounts += all.length - written.length;
    return written;
  };
  const read = async (program: ProgramName): Promise<Decoded[]> => {
    const decoded: Decoded[] = [];
    for (const raw of await made(addresses[program])) {
      const account = decode(program, raw);
      if (account) decoded.push(account);
      else unknown.push(`${program}: account ${raw.address} is of no type in the IDL`);
    }
    return decoded;
  };
  const genesisHash = await connection.getGenesisHash();
  const slot = await connection.getSlot();
  const accounts = {
    registry: await read('registry'),
    oracle: await read('oracle'),
    energyToken: await read('energyToken'),
  };
  const trading = await made(TRADING);
  const mint = await connection.getAccountInfo(mintKey);
  const ofMint = [{ memcmp: { offset: 0, bytes: mintKey.toBase58() } }];
  const tokenAccounts = (await programAccounts(connection, TOKEN_2022, ofMint)).filter(
    ({ data }) => data.length >= TOKEN_ACCOUNT_BYTES,
  );
  return {
    genesisHash,
    slot,
    accounts,
    unknown,
    mint: mint
      ? { address: mintKey.toBase58(), owner: mint.owner.toBase58(), data: Buffer.from(mint.data) }
      : undefined,
    tokenAccounts,
    tradingAccounts: trading.length,
    foreignAccounts,
  };
}

const fingerprint = ({ slot: _, ...rest }: Snapshot) =>
  JSON.stringify(rest, (_key, value) => (typeof value === 'bigint' ? `${value}` : value));

/**
 * Reads the chain at one moment: repeats its many reads until two consecutive rounds agree. Throws when no two of
 * `attempts` rounds agree, or the node does not answer.
 */
export async function readChain(rpcUrl: string, attempts = 20): Promise<Snapshot> {
  const connection = new web3.Connection(rpcUrl, 'confirmed');
  let before = await readOnce(connection);
  for (let attempt = 1; attempt < attempts; attempt++) {
    const now = await readOnce(connection);
    if (fingerprint(now) === fingerprint(before)) return now;
    before = now;
  }
  throw new Error(`${rpcUrl}: the accounts changed between any two of ${attempts} reads`);
}
