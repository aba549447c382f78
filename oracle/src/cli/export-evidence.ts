import { type MeterId, parseSign1, sigStructure, type Verifier } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { writeEvidence } from '../adapters/files/evidence.js';
import { readSuspendedKeys } from '../adapters/sqlite/evidence.js';
import { lowestContradiction } from '../domain/verdicts/evidence.js';

/**
 * Writes the evidence against every suspended key of a meter to `folder`. Returns the paths of the descriptions; none
 * when no key of the meter equivocated. Throws when the ledger is missing or damaged, or the folder cannot be written.
 */
export function exportEvidence(ledger: string, meterId: MeterId, folder: string, verifier: Verifier): string[] {
  const paths: string[] = [];
  for (const { key, suspendedFrom, messages } of readSuspendedKeys(ledger, meterId)) {
    const evidence = lowestContradiction(messages);
    if (!evidence) continue;
    for (const { message } of evidence.messages) {
      const { payload, signature } = parseSign1(message);
      // Exported evidence must convince without this oracle's word, so the signatures are verified again.
      if (!verifier.verify(signature, sigStructure(payload), key))
        throw new OperatorError({
          code: 'damaged-file',
          file: ledger,
          problem: 'a stored message is damaged',
          advice: 'restore it from a backup',
        });
    }
    paths.push(writeEvidence(folder, { ...evidence, meterId, key, suspendedFrom }));
  }
  return paths;
}
