import { parentPort, workerData } from 'node:worker_threads';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import { Batch } from './batch.js';

/** Checks signatures on a thread. It reports ready only after its own verifier judged every golden case correctly. */
const port = parentPort;
if (!port) throw new Error('this is the start of a thread, not a command');
const verifier = provedVerifier();
const batches = (workerData as { memories: SharedArrayBuffer[] }).memories.map((memory) => new Batch(memory));
port.on('message', (number: number) => {
  batches[number]?.answer((signature, message, key) => verifier.verify(signature, message, key));
  port.postMessage('answered');
});
port.postMessage('ready');
