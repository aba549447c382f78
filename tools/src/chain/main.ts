import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { pda, programIds } from '@gridtokenx/chain-client';
import { outsiderCheck } from '../checks/outsider.js';
import { readJson, writeFileDurably } from '../files.js';
import { projectRoot } from '../root.js';
import { type ProgramFile, startNode } from './node.js';
import { startProxy } from './proxy.js';
import { rpc } from './rpc.js';
import { readSnapshot, restoreSnapshot, type SnapshotScope, takeSnapshot } from './snapshot.js';

/** The embedded chain's settings; written by the launcher. */
export interface ChainConfig {
  readonly host: string;
  readonly rpcPort: number;
  readonly wsPort: number;
  readonly httpPort: number;
  readonly snapshotPath: string;
  /** Base58 key that may upgrade the programs, and therefore initialise them. */
  readonly authority: string;
  /** Wallets whose SOL survives a restart, beside the owners of token accounts. */
  readonly wallets: readonly string[];
}

const ARTIFACTS: readonly ProgramFile[] = [
  { id: programIds.registry.toBase58(), path: join(projectRoot, 'programs/artifacts/registry.so') },
  { id: programIds.oracle.toBase58(), path: join(projectRoot, 'programs/artifacts/oracle.so') },
  { id: programIds.energyToken.toBase58(), path: join(projectRoot, 'programs/artifacts/energy_token.so') },
];

function scopeOf(config: ChainConfig): SnapshotScope {
  return {
    programs: Object.values(programIds).map((id) => id.toBase58()),
    mints: [pda.mint().toBase58()],
    wallets: config.wallets,
  };
}

function log(message: string, more: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ time: Date.now(), msg: message, ...more })}\n`);
}

const WATCH_MS = 5_000;
const WATCH_FAILURES = 3;

/** Ends the process when its node no longer answers: the launcher starts it again from the last snapshot. */
function watch(url: string): void {
  let failures = 0;
  setInterval(async () => {
    try {
      await rpc(url, 'getSlot', []);
      failures = 0;
    } catch (error) {
      failures++;
      log('the node does not answer', { failures, err: (error as Error).message });
      if (failures === WATCH_FAILURES) process.exit(1);
    }
  }, WATCH_MS);
}

/** Takes snapshots one after another; callers that come while one is taken get the next one. */
function snapshotter(url: string, config: ChainConfig): () => Promise<number> {
  let queue: Promise<unknown> = Promise.resolve();
  return () => {
    const taken = queue.then(async () => {
      const snapshot = await takeSnapshot(url, scopeOf(config));
      writeFileDurably(config.snapshotPath, JSON.stringify(snapshot));
      return snapshot.slot;
    });
    queue = taken.catch(() => undefined);
    return taken;
  };
}

async function main(): Promise<void> {
  const path = process.argv[process.argv.indexOf('--config') + 1];
  const config = path ? readJson<ChainConfig>(path) : null;
  if (!config) throw new Error('usage: node tools/dist/chain/main.js --config FILE');
  mkdirSync(dirname(config.snapshotPath), { recursive: true });
  const before = readSnapshot(config.snapshotPath);
  const node = await startNode(ARTIFACTS, config.authority);
  if (before) {
    await restoreSnapshot(node.rpcUrl, before);
    const check = await outsiderCheck(node.rpcUrl);
    if (!check.ok) throw new Error(`the snapshot breaks an invariant: ${check.findings.join('; ')}`);
    log('chain restored', { accounts: before.accounts.length, takenAtMs: before.takenAtMs });
  }
  const snapshot = snapshotter(node.rpcUrl, config);
  const control = createServer((request, response) => {
    const answer = (code: number, body: unknown) => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.method === 'POST' && request.url === '/snapshot') {
      snapshot().then(
        (slot) => answer(200, { slot }),
        (error: Error) => answer(503, { error: error.message }),
      );
    } else if (request.url === '/healthz') answer(200, { ok: true, rpc: node.rpcUrl });
    else answer(404, { error: 'POST /snapshot or GET /healthz' });
  });
  await startProxy(config.host, config.rpcPort, node.rpcPort);
  await startProxy(config.host, config.wsPort, node.wsPort);
  await new Promise<void>((resolve, reject) => {
    control.once('error', reject);
    control.listen(config.httpPort, config.host, resolve);
  });
  watch(node.rpcUrl);
  const stop = () => {
    node.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  process.on('disconnect', stop);
  log('chain ready', { rpcPort: config.rpcPort });
  process.send?.({ type: 'ready' });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(2);
});
