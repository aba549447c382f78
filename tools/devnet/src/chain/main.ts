import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { outsiderCheck } from '@gridtokenx/audit/main';
import { pda, programIds } from '@gridtokenx/chain-client';
import { readJson } from '../files.js';
import { projectRoot } from '../root.js';
import { UserError } from '../user-error.js';
import { Generations } from './generations.js';
import { chainHealth } from './health.js';
import { Keeper } from './keeper.js';
import { type EmbeddedNode, type ProgramFile, startNode } from './node.js';
import { startProxy } from './proxy.js';
import { rpc } from './rpc.js';
import { restoreSnapshot, type SnapshotScope, takeSnapshot } from './snapshot.js';

/** The embedded chain's settings; written by the launcher. */
export interface ChainConfig {
  readonly host: string;
  readonly rpcPort: number;
  readonly wsPort: number;
  readonly httpPort: number;
  readonly snapshotPath: string;
  /** The network that the data directory was made for, hex; null or absent for a new one. */
  readonly networkId?: string | null;
  /** What to delete to begin anew; named in advice. */
  readonly folder?: string;
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

/**
 * Ends the process when its node no longer answers: the launcher starts it again from the last snapshot. Returns what
 * says why it does not answer; null when it does.
 */
function watch(url: string): () => string | null {
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
  return () => (failures === 0 ? null : `the node did not answer ${failures} times`);
}

/** What was found wrong with snapshots at the start. */
interface Started {
  readonly node: EmbeddedNode;
  readonly keeper: Keeper;
}

/** A node with the newest snapshot that holds, or an empty one where no chain was. Throws `UserError`. */
async function startFrom(config: ChainConfig): Promise<Started> {
  const folder = config.folder ?? dirname(config.snapshotPath);
  const generations = new Generations(config.snapshotPath);
  const { candidates, words } = generations.choose(config.networkId ?? null, folder);
  const problems = [...words];
  const keeperOn = (node: EmbeddedNode) =>
    new Keeper({
      ...{ generations, folder, problems },
      networkId: config.networkId ?? null,
      take: () => takeSnapshot(node.rpcUrl, scopeOf(config)),
      check: (before) => outsiderCheck(node.rpcUrl, before),
    });
  for (const candidate of candidates) {
    const node = await startNode(ARTIFACTS, config.authority);
    await restoreSnapshot(node.rpcUrl, candidate.snapshot);
    const check = await outsiderCheck(node.rpcUrl);
    if (check.ok) {
      const { accounts, takenAtMs } = candidate.snapshot;
      log('chain restored', { path: candidate.path, accounts: accounts.length, takenAtMs });
      if (problems.length > 0) problems.push(`the chain goes on from ${candidate.path}`);
      const keeper = keeperOn(node);
      keeper.started(candidate, check);
      return { node, keeper };
    }
    node.stop();
    problems.push(`${candidate.path} breaks an invariant: ${check.findings.slice(0, 3).join('; ')}`);
  }
  if (candidates.length > 0) {
    throw new UserError(`${problems.join('; ')}: bring a snapshot back from a backup, or delete ${folder}`);
  }
  const node = await startNode(ARTIFACTS, config.authority);
  return { node, keeper: keeperOn(node) };
}

async function main(): Promise<void> {
  const path = process.argv[process.argv.indexOf('--config') + 1];
  const config = path ? readJson<ChainConfig>(path) : null;
  if (!config) throw new Error('usage: node tools/devnet/dist/chain/main.js --config FILE');
  mkdirSync(dirname(config.snapshotPath), { recursive: true });
  const { node, keeper } = await startFrom(config);
  for (const problem of keeper.problems()) log(problem);
  const health = chainHealth({ keeper, node: watch(node.rpcUrl), now: Date.now });
  const control = createServer((request, response) => {
    const answer = (code: number, body: unknown) => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.method === 'POST' && request.url === '/snapshot') {
      keeper.snapshot().then(
        (slot) => answer(200, { slot }),
        (error: Error) => answer(503, { error: error.message }),
      );
    } else if (request.url === '/healthz') {
      const report = health.report();
      answer(report.ok ? 200 : 503, { ...report, rpc: node.rpcUrl, snapshot_slot: keeper.slot });
    } else answer(404, { error: 'POST /snapshot or GET /healthz' });
  });
  await startProxy(config.host, config.rpcPort, node.rpcPort);
  await startProxy(config.host, config.wsPort, node.wsPort);
  await new Promise<void>((resolve, reject) => {
    control.once('error', reject);
    control.listen(config.httpPort, config.host, resolve);
  });
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
