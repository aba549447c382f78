import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { fromHex, parseSimulatedClock, simulatedNow, toHex } from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node';
import { Random } from '@gridtokenx/testing-kit/random';

import { addFigures } from '../../campaign.js';
import { sleep } from '../../kill/system.js';
import type { AttackParts } from '../attacks/target.js';
import { perform } from './acts/index.js';
import type { HomeKeys } from './cast.js';
import { Turncoat } from './turncoat.js';

/** Orders for the attacking process. */
export interface Orders {
  readonly seed: number;
  readonly keys: HomeKeys;
  /** Public key of a neighbour's gateway, in hex. */
  readonly neighbour: string;
  readonly urls: AttackParts['urls'] & { readonly rpc: string };
  readonly broker: string;
  readonly networkId: string;
  readonly page: number;
  readonly clockFile: string;
  readonly standing: { seq: string; prev: string; importWh: string; exportWh: string; window: number };
  /** Acts to perform one after another, and the duration of each. */
  readonly acts: readonly string[];
  readonly actMs: number;
}

type Answer = { figures: Record<string, number>; cpuMs: number } | { error: string };

/** A separate process, so that its signing does not slow the process that measures time. */
export class Attacker {
  readonly #child: ChildProcess;
  readonly done: Promise<Record<string, number>>;
  /** CPU time that it used, once it has ended, ms. */
  cpuMs = 0;

  constructor(orders: Orders) {
    const child = fork(fileURLToPath(import.meta.url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    // In the field the attacker has its own machine: here it gets the CPU time that the services leave.
    if (child.pid !== undefined) setPriority(child.pid, Math.min(constants.priority.PRIORITY_LOW, getPriority() + 10));
    this.done = new Promise((resolve, reject) => {
      child.once('message', (answer: Answer) => {
        if ('error' in answer) reject(new Error(`the attack is broken: ${answer.error}`));
        else {
          this.cpuMs = answer.cpuMs;
          resolve(answer.figures);
        }
      });
      child.once('exit', (code) => reject(new Error(`the attack ended with code ${code}`)));
    });
    child.send(orders);
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

async function attack(orders: Orders): Promise<Record<string, number>> {
  const gateway = sodiumSigner(fromHex(orders.keys.gatewaySeed));
  const clock = parseSimulatedClock(readFileSync(orders.clockFile, 'utf8'));
  const parts = {
    urls: orders.urls,
    broker: orders.broker,
    keys: { gateway, neighbour: fromHex(orders.neighbour) },
    deadline: 0,
    clock: { now: () => Date.now(), sleep },
    random: (bytes: number) => new Uint8Array(randomBytes(bytes)),
  };
  const { seq, prev, importWh, exportWh, window } = orders.standing;
  const home = new Turncoat({
    parts,
    random: new Random(orders.seed, 'turncoat'),
    // Reserved time would only delay processes that show it.
    now: () => simulatedNow({ ...clock, reservedThroughMs: Number.POSITIVE_INFINITY }, Date.now()),
    meterSeed: fromHex(orders.keys.meterSeed),
    networkId: fromHex(orders.networkId),
    meterId: fromHex(orders.keys.meterId),
    standing: { seq: BigInt(seq), prev: fromHex(prev), importWh: BigInt(importWh), exportWh: BigInt(exportWh), window },
  });
  const figures: Record<string, number> = {};
  const owner = { rpc: orders.urls.rpc, secret: orders.keys.owner, meterId: orders.keys.meterId, page: orders.page };
  for (const act of orders.acts) {
    parts.deadline = Date.now() + orders.actMs;
    addFigures(figures, await perform(act, home, owner));
  }
  home.close();
  return figures;
}

/** Returns the key of a gateway in hex, from its seed. */
export function publicKeyOf(seed: string): string {
  return toHex(sodiumSigner(fromHex(seed)).publicKey);
}

/** Sends an answer, and ends once the answer is on its way. */
function say(answer: Answer, code: number): void {
  process.send?.(answer, undefined, undefined, () => process.exit(code));
}

if (/\/attacker\.[jt]s$/.test(process.argv[1] ?? '')) {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (orders: Orders) => {
    attack(orders).then(
      (figures) => {
        const { user, system } = process.cpuUsage();
        say({ figures, cpuMs: (user + system) / 1_000 }, 0);
      },
      (error: Error) => say({ error: error.stack ?? error.message }, 1),
    );
  });
}
