import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** A thread that checks a whole database file, which its own process may be writing, and says what it found. */
const port = parentPort;
if (!port) throw new Error('this is the start of a thread, not a command');
const sqlite = new DatabaseSync(String(workerData), { readOnly: true });
const [row] = sqlite.prepare('PRAGMA quick_check(1)').all();
sqlite.close();
port.postMessage(String(row?.quick_check ?? 'nothing was answered'));
