import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base58Encode, type MeterId, sha256, toHex } from '@gridtokenx/protocol';
import { makeFolder } from '@gridtokenx/runtime/node';
import type { Evidence } from '../../domain/verdicts/evidence.js';

/** A contradiction of one key, in the form that is exported to others. */
export interface KeyEvidence extends Evidence {
  readonly meterId: MeterId;
  readonly key: Uint8Array;
  readonly suspendedFrom: bigint;
}

/**
 * Writes two COSE_Sign1 messages of 171 bytes (`NAME-1.cose`, `NAME-2.cose`) and `NAME.json`. The JSON file names their
 * meter and key and states the contradiction [wire §10.4]. Returns the path of the JSON file. Throws when the disk
 * fails.
 */
export function writeEvidence(folder: string, evidence: KeyEvidence): string {
  const { meterId, key, suspendedFrom, place, messages } = evidence;
  const name = `evidence-${meterId}-${toHex(key).slice(0, 16)}`;
  makeFolder(folder);
  const files = messages.map(({ message, payload, receivedAtMs }, index) => {
    const file = `${name}-${index + 1}.cose`;
    writeFileSync(join(folder, file), message);
    return {
      file,
      sha256: toHex(sha256(message)),
      kind: payload.kind,
      seq: payload.seq.toString(),
      window: 'window' in payload ? payload.window : null,
      received: new Date(receivedAtMs).toISOString(),
    };
  });
  const description = {
    version: 1,
    what: 'Two messages signed by one key that must never both exist: COSE_Sign1 (RFC 9052), EdDSA, no external_aad.',
    meter_id: meterId,
    key: toHex(key),
    key_base58: base58Encode(key),
    key_jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') },
    suspended_from_seq: suspendedFrom.toString(),
    same: 'seq' in place ? { seq: place.seq.toString() } : { window: place.window },
    messages: files,
  };
  const path = join(folder, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(description, null, 2)}\n`);
  return path;
}
