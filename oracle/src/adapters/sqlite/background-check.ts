import { Worker } from 'node:worker_threads';
import { damageIn } from './damage.js';

/** The thread's program. */
export const CHECK_WORKER = new URL('./check-worker.js', import.meta.url);

/**
 * Checks a whole file on a thread of its own, beside its use: a large one would hold up a start for minutes. Calls
 * `found` once with words where it does not hold. Ends with the process. Resolves when it has been checked.
 */
export function checkInBackground(path: string, found: (words: string) => void, thread: URL): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(thread, { workerData: path });
    worker.unref();
    worker.once('message', (words: string) => {
      if (words !== 'ok') found(`is damaged (${words.split('\n')[0] ?? words})`);
    });
    worker.once('error', (error) => {
      const damage = damageIn(error);
      if (damage !== null) found(damage);
    });
    worker.once('exit', () => resolve());
  });
}
