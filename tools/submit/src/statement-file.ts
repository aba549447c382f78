import { createPublicKey, verify } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { UserError } from '@gridtokenx/devnet/user-error';
import { decodePayload, fromHex, Kind, parseSign1, type Statement, sigStructure, toHex } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';

/** A statement file has 600 bytes; what is larger is something else. Bytes. */
const MAX_FILE_BYTES = 65_536;

/** A signed window statement from a file. */
export interface StatementIn {
  readonly file: string;
  readonly message: Uint8Array;
  readonly statement: Statement;
  /** Hex. */
  readonly meterId: string;
}

/** Why something cannot be read, without the content of it. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  return code ? `cannot be read (${code})` : 'cannot be read';
}

function readText(file: string): string {
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new UserError(`${file}: too large for a file of this kind`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${file}: ${reasonOf(error)}`);
  }
}

/** Reads what `gridtokenx-gateway statement` wrote. Throws `UserError`. */
export function readStatement(file: string): StatementIn {
  const wrong = () =>
    new UserError(`${file}: is no statement: write one with "gridtokenx-gateway statement --window N --out FILE"`);
  const text = readText(file);
  try {
    const message = fromHex(String((JSON.parse(text) as { message?: unknown }).message));
    const statement = decodePayload(parseSign1(message).payload);
    if (statement.kind !== Kind.statement) throw wrong();
    return { file, message, statement, meterId: toHex(statement.meterId) };
  } catch {
    throw wrong();
  }
}

/** The payer's key pair from a Solana JSON array of 64 bytes. Throws `UserError`, which never shows what is in the file. */
export function readPayer(file: string): Keypair {
  const text = readText(file);
  try {
    return Keypair.fromSecretKey(Uint8Array.from(JSON.parse(text) as number[]));
  } catch {
    throw new UserError(`${file}: is no key pair: give a Solana key file, a JSON array of 64 numbers`);
  }
}

/** DER of an Ed25519 public key, in front of its 32 bytes (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** True when `key` signed the statement. */
export function isSignedBy({ message }: StatementIn, key: Uint8Array): boolean {
  const { payload, signature } = parseSign1(message);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, key]), format: 'der', type: 'spki' });
  return verify(null, sigStructure(payload), publicKey, signature);
}
