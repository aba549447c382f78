import { createPublicKey, verify } from 'node:crypto';
import { decodePayload, fromHex, Kind, parseSign1, type Statement, sigStructure, toHex } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';
import { Keypair } from '@solana/web3.js';

/** Bounds the file's size, in bytes. A statement file has 600 bytes; a larger file is something else. */
const MAX_FILE_BYTES = 65_536;

/** A signed window statement from a file. */
export interface StatementIn {
  readonly file: string;
  readonly message: Uint8Array;
  readonly statement: Statement;
  /** Hex. */
  readonly meterId: string;
}

function readText(file: string): string {
  try {
    return readRegularFile(file, MAX_FILE_BYTES).toString('utf8');
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code ?? 'for no known reason'})`;
    throw new OperatorError({ code: 'unreadable', file, problem, advice: 'correct its path' }, { cause });
  }
}

/** Reads what `gridtokenx-gateway statement` wrote. Throws `OperatorError`. */
export function readStatement(file: string): StatementIn {
  const wrong = () => {
    const advice = 'write one with "gridtokenx-gateway statement --window N --out FILE"';
    return new OperatorError({ code: 'no-statement', file, problem: 'is no statement', advice });
  };
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

/**
 * Reads the payer's key pair from a Solana JSON array of 64 bytes. Throws `OperatorError`, which never shows the file's
 * content.
 */
export function readPayer(file: string): Keypair {
  const text = readText(file);
  try {
    return Keypair.fromSecretKey(Uint8Array.from(JSON.parse(text) as number[]));
  } catch {
    const advice = 'give a Solana key file, a JSON array of 64 numbers';
    throw new OperatorError({ code: 'no-key', file, problem: 'is no key pair', advice });
  }
}

/** DER of an Ed25519 public key, before its 32 bytes (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Returns true when `key` signed the statement. */
export function isSignedBy({ message }: StatementIn, key: Uint8Array): boolean {
  const { payload, signature } = parseSign1(message);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, key]), format: 'der', type: 'spki' });
  return verify(null, sigStructure(payload), publicKey, signature);
}
