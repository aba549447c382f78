import { statSync } from 'node:fs';
import { base58Encode, parseJson, publicKeyFromBase58 } from '@gridtokenx/protocol';
import { type Logger, OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import type { KeyDirectory, KeyRecord } from '../ports.js';

const schema = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      publicKey: z.string(),
      role: z.enum(['gateway', 'oracle', 'operator']),
      status: z.enum(['active', 'revoked']),
      name: z.string().max(200),
    }),
  ),
});

/** Returns the records of a keys file by base58 key [wire §10.5]. Throws an `Error` that names the fault. */
export function parseKeys(text: string): Map<string, KeyRecord> {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a list of keys'}`);
  }
  const records = new Map<string, KeyRecord>();
  for (const [i, entry] of parsed.data.keys.entries()) {
    const publicKey = publicKeyFromBase58(entry.publicKey);
    const key = base58Encode(publicKey);
    if (key !== entry.publicKey) throw new Error(`keys.${i}.publicKey: not written as base58 writes it`);
    if (records.has(key)) throw new Error(`keys.${i}.publicKey: listed twice`);
    records.set(key, { ...entry, publicKey });
  }
  return records;
}

function unusable(file: string, cause: unknown): OperatorError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const advice = 'have provisioning write it';
  const fault =
    code === 'ENOENT'
      ? { code: 'missing-file', file, problem: 'the keys file is missing', advice }
      : { code: 'keys-file', file, line: 1, key: 'keys', problem: message, advice };
  return new OperatorError(fault, { cause });
}

/**
 * The keys file that provisioning writes. The broker reads it again when it changes. Content that cannot be read or parsed
 * leaves the last good content in force, and the log says so once.
 */
export class KeysFile implements KeyDirectory {
  readonly #path: string;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  readonly #listeners: (() => void)[] = [];
  #records: Map<string, KeyRecord>;
  #stamp = '';
  #complaint = '';
  /** The last check could not reach the file; the content in force is complete. */
  #isAway = false;
  #timer: NodeJS.Timeout | null = null;

  /** Reads the file once. Throws `OperatorError` when it is missing or not a list of keys. */
  constructor(path: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#path = path;
    this.#log = log;
    try {
      this.#stamp = this.#stat();
      this.#records = parseKeys(readRegularFile(path).toString('utf8'));
    } catch (cause) {
      throw unusable(path, cause);
    }
  }

  /** Reason why the file's present content is not in force, in words; null when it is. */
  get problem(): string | null {
    return this.#complaint === '' ? null : `keys file not read, the last one stays: ${this.#complaint}`;
  }

  get size(): number {
    return this.#records.size;
  }

  find(key: string): KeyRecord | undefined {
    return this.#records.get(key);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Checks for changes every `everyMs` real milliseconds until `stop`. */
  watch(everyMs: number): void {
    this.#timer = setInterval(() => this.refresh(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** Reads the file again if it may have changed. */
  refresh(): void {
    try {
      const stamp = this.#stat();
      if (stamp === this.#stamp) {
        // The file was absent for a moment, and is the one in force.
        if (this.#isAway) [this.#complaint, this.#isAway] = ['', false];
        return;
      }
      this.#isAway = false;
      const text = readRegularFile(this.#path).toString('utf8');
      // The content is judged: the next read follows the next change.
      this.#stamp = stamp;
      this.#records = parseKeys(text);
      this.#complaint = '';
    } catch (error) {
      this.#isAway ||= (error as NodeJS.ErrnoException).code !== undefined && this.#complaint === '';
      if (String(error) !== this.#complaint) {
        this.#complaint = String(error);
        this.#log.warn(
          { event: 'keys_file_rejected', err: this.#complaint },
          'Cannot read the keys file: the last good one stays in force',
        );
      }
      return;
    }
    this.#log.info({ event: 'keys_file_loaded', keys: this.#records.size }, 'Loaded the keys file');
    for (const listener of this.#listeners) listener();
  }

  #stat(): string {
    const { mtimeMs, ino, size } = statSync(this.#path);
    return `${mtimeMs} ${ino} ${size}`;
  }
}
