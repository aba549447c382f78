import { dirname, join } from 'node:path';
import { auditChain } from '@gridtokenx/audit/main';
import { pda, programIds } from '@gridtokenx/chain-client';
import type { Logger } from '@gridtokenx/runtime/core';
import {
  ExitCode,
  errorAnswer,
  jsonAnswer,
  makeFolder,
  type RunningHttp,
  runService,
  serveHttp,
  serviceLog,
  systemClock,
} from '@gridtokenx/runtime/node';
import { projectRoot } from '../root.js';
import { type ChainConfig, readChainConfig } from './config.js';
import { Generations, lost } from './generations.js';
import { chainHealth } from './health.js';
import { Keeper } from './keeper.js';
import { type EmbeddedNode, type ProgramFile, startNode } from './node.js';
import { startProxy } from './proxy.js';
import { rpc } from './rpc.js';
import { restoreSnapshot, type SnapshotScope, takeSnapshot } from './snapshot.js';

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

const WATCH_MS = 5_000;
const WATCH_FAILURES = 3;
/** The launcher, the oracle and a person with a browser connect; nobody else reaches the loopback interface. */
const CONNECTIONS = { connections: 64, perAddress: 64 } as const;

/**
 * Ends the process when its node no longer answers: the launcher starts it again from the last snapshot. Returns a
 * function that states why the node does not answer; null when it does.
 */
function watch(url: string, log: Pick<Logger, 'warn' | 'error'>): () => string | null {
  let failures = 0;
  const look = async () => {
    try {
      await rpc(url, 'getSlot', []);
      failures = 0;
    } catch (error) {
      failures++;
      log.warn({ event: 'chain_node_silent', failures, err: error }, 'The chain node does not answer');
      if (failures < WATCH_FAILURES) return;
      log.error(
        { event: 'chain_node_lost', err: error },
        'The chain exits, so that its supervisor restarts it from the last snapshot',
      );
      process.exit(ExitCode.defect);
    }
  };
  setInterval(() => void look(), WATCH_MS).unref();
  return () => (failures === 0 ? null : `the node did not answer ${failures} times`);
}

/** A started node, and the problems found with snapshots at the start. */
interface Started {
  readonly node: EmbeddedNode;
  readonly keeper: Keeper;
}

/** Starts a node with the newest valid snapshot, or an empty node where no chain existed. Throws `OperatorError`. */
async function startFrom(config: ChainConfig, log: Pick<Logger, 'info'>): Promise<Started> {
  const folder = config.folder ?? dirname(config.snapshotPath);
  const generations = new Generations(config.snapshotPath);
  const { candidates, words } = generations.choose(config.networkId ?? null, folder);
  const problems = [...words];
  const keeperOn = (node: EmbeddedNode) =>
    new Keeper({
      ...{ generations, folder, problems },
      networkId: config.networkId ?? null,
      take: () => takeSnapshot(node.rpcUrl, scopeOf(config)),
      check: (before) => auditChain(node.rpcUrl, before),
    });
  for (const candidate of candidates) {
    const node = await startNode(ARTIFACTS, config.authority);
    await restoreSnapshot(node.rpcUrl, candidate.snapshot);
    const check = await auditChain(node.rpcUrl);
    if (check.ok) {
      const { accounts, takenAtMs } = candidate.snapshot;
      log.info(
        { event: 'chain_restored', path: candidate.path, accounts: accounts.length, takenAtMs },
        'Restored the chain from a snapshot',
      );
      if (problems.length > 0) problems.push(`the chain continues from ${candidate.path}`);
      const keeper = keeperOn(node);
      keeper.started(candidate, check);
      return { node, keeper };
    }
    node.stop();
    problems.push(`${candidate.path} breaks an invariant: ${check.findings.slice(0, 3).join('; ')}`);
  }
  if (candidates.length > 0) {
    throw lost(problems.join('; '), folder);
  }
  const node = await startNode(ARTIFACTS, config.authority);
  return { node, keeper: keeperOn(node) };
}

/** Serves health and `POST /snapshot` until a stop signal. */
async function serveControl(config: ChainConfig, { node, keeper }: Started, log: Logger): Promise<RunningHttp> {
  const health = chainHealth({ keeper, node: watch(node.rpcUrl, log), now: () => systemClock.nowMs() });
  const snapshot = () =>
    keeper.snapshot().then(
      (slot) => jsonAnswer(200, { slot }),
      (error: Error) => errorAnswer(503, error.message),
    );
  return serveHttp({
    host: config.host,
    port: config.httpPort,
    key: 'httpPort',
    log,
    limits: CONNECTIONS,
    health: () => ({ ...health.report(), rpc: node.rpcUrl, snapshot_slot: keeper.slot }),
    routes: { '/snapshot': { methods: ['POST'], answer: snapshot } },
  });
}

/** Runs the embedded chain of a configuration until a stop signal. Rejects with `OperatorError`. */
export async function runChain(path: string): Promise<void> {
  const config = readChainConfig(path);
  const log = serviceLog('chain');
  makeFolder(dirname(config.snapshotPath));
  await runService('chain', log, async () => {
    const started = await startFrom(config, log);
    const { node, keeper } = started;
    for (const problem of keeper.problems()) log.warn({ event: 'snapshot_rejected' }, problem);
    const http = await serveControl(config, started, log);
    await startProxy({ host: config.host, port: config.rpcPort, key: 'rpcPort' }, node.rpcPort);
    await startProxy({ host: config.host, port: config.wsPort, key: 'wsPort' }, node.wsPort);
    log.info({ event: 'chain_started', rpcPort: config.rpcPort }, 'Chain started');
    return {
      stop: async () => {
        await http.close();
        node.stop();
      },
    };
  });
}
