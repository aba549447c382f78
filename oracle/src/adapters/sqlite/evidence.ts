import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { MeterId } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import type { Contradicting } from '../../domain/verdicts/evidence.js';
import { blobSeq, messageRow } from './rows.js';

/** The contradicting messages of one key of a meter. */
export interface SuspendedKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly suspendedFrom: bigint;
  readonly messages: readonly Contradicting[];
}

/**
 * Suspended keys of a meter (hex), from the ledger at `path`. Only reads, so the oracle may be running. Throws when there
 * is no ledger, or the file cannot be read.
 */
export function readSuspendedKeys(path: string, meterId: MeterId): SuspendedKey[] {
  if (!existsSync(path))
    throw new OperatorError({
      code: 'no-ledger',
      file: path,
      problem: 'there is no ledger',
      advice: 'is data_dir right?',
    });
  const sqlite = new DatabaseSync(path, { readOnly: true });
  try {
    const streams = sqlite
      .prepare('SELECT id, key, suspended_from FROM streams WHERE meter = ? AND suspended_from IS NOT NULL ORDER BY id')
      .all(meterId);
    const messages = sqlite.prepare('SELECT * FROM messages WHERE stream = ? AND contradicted = 1 ORDER BY seq, hash');
    return streams.map((row) => ({
      key: row.key as Uint8Array,
      suspendedFrom: blobSeq(row.suspended_from as Uint8Array),
      messages: messages.all(Number(row.id)).map(messageRow),
    }));
  } finally {
    sqlite.close();
  }
}
