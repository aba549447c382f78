import type { Verifier } from '@gridtokenx/protocol';
import type { SignatureChecks } from '../../domain/intake/ports.js';

/** Answers at once, in the calling thread. */
export function inThread(verifier: Verifier): SignatureChecks {
  return {
    threads: 0,
    ask(jobs, answered) {
      answered(jobs.map(({ signature, message, key }) => verifier.verify(signature, message, key)));
    },
    finish: () => undefined,
    close: async () => undefined,
  };
}
