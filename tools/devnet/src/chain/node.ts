import { createRequire } from 'node:module';
import { OperatorError } from '@gridtokenx/runtime/core';
import { rpc } from './rpc.js';

/** The used part of the embedded SVM node's binding. */
interface SurfnetBinding {
  readonly rpcUrl: string;
  readonly wsUrl: string;
  deploy(options: { programId: string; soPath: string }): void;
  drainEvents(): unknown[];
  stop(): void;
}

/** A running embedded node with real JSON-RPC and WebSocket on ports that it chooses itself. */
export interface EmbeddedNode {
  readonly rpcUrl: string;
  readonly rpcPort: number;
  readonly wsPort: number;
  stop(): void;
}

/** A program to deploy: its id in base58 and the path of its `.so`. */
export interface ProgramFile {
  readonly id: string;
  readonly path: string;
}

/** Length of a slot. A signature is final 31 slots after its own. */
const SLOT_MS = 100;
/** The node reports every slot to a queue of bounded length and stops for good once the queue is full. */
const DRAIN_MS = 1_000;

function loadBinding(): { startWithConfig(config: Record<string, unknown>): SurfnetBinding } {
  const name = `@solana/surfpool-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
  try {
    return createRequire(import.meta.url)(name).Surfnet;
  } catch (cause) {
    const problem = `the embedded chain node has no package for this platform (${name})`;
    const advice = 'use Linux x86-64, or a chain of your own';
    throw new OperatorError({ code: 'no-chain-node', problem, advice }, { cause });
  }
}

/** Starts the node, offline, and deploys the programs with `authority` as their upgrade authority. */
export async function startNode(programs: readonly ProgramFile[], authority: string): Promise<EmbeddedNode> {
  const node = loadBinding().startWithConfig({ offline: true, slotTimeMs: SLOT_MS, blockProductionMode: 'clock' });
  setInterval(() => node.drainEvents(), DRAIN_MS).unref();
  for (const program of programs) {
    node.deploy({ programId: program.id, soPath: program.path });
    await rpc(node.rpcUrl, 'surfnet_setProgramAuthority', [program.id, authority]);
  }
  return {
    rpcUrl: node.rpcUrl,
    rpcPort: Number(new URL(node.rpcUrl).port),
    wsPort: Number(new URL(node.wsUrl).port),
    stop: () => node.stop(),
  };
}
