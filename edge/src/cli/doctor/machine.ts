import { existsSync } from 'node:fs';
import { asMeterId, type MeterId, type Signer } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { boundedHttpServer, listenError, listening, MIN_FREE_BYTES, operatorErrorOf } from '@gridtokenx/runtime/node';
import { nodeDisk } from '../../adapters/disk/node-disk.js';
import type { MeterKey } from '../../adapters/keys/key-store.js';
import type { GatewayConfig, MeterConfig } from '../../wiring/config.js';
import { pointKeys } from '../../wiring/points.js';
import { keyStore, plateOf, spoolDir } from '../../wiring/setup.js';
import { findEnrolled } from '../statement-command.js';
import { type Check, type DoctorPorts, problem, unseen, well } from './check.js';

const MIB = 1_048_576;

/** Looks at the data directory and its disk. */
export function checkDisk({ data_dir: folder }: GatewayConfig, ports: DoctorPorts): Check[] {
  const where = 'disk';
  if (!existsSync(folder)) return [problem(where, `there is no data_dir ${folder}: run \`init\`, or correct data_dir`)];
  const checks: Check[] = [];
  try {
    ports.probeFolder(folder);
  } catch (error) {
    const { problem: what, advice } = operatorErrorOf(error) ?? { problem: (error as Error).message, advice: '' };
    checks.push(problem(where, `data_dir ${folder} cannot be written: ${what}${advice === '' ? '' : `; ${advice}`}`));
  }
  try {
    const free = ports.freeBytes(folder);
    const mib = Math.floor(free / MIB);
    if (free < MIN_FREE_BYTES) checks.push(problem(where, `${mib} MiB are free for data_dir ${folder}: make room`));
    else if (checks.length === 0) checks.push(well(where, `data_dir ${folder} can be written, ${mib} MiB are free`));
  } catch (error) {
    checks.push(problem(where, `the disk of data_dir ${folder} cannot be asked (${(error as Error).message})`));
  }
  return checks;
}

/** A meter or point with its key. */
export interface Keyed {
  readonly name: string;
  readonly id: MeterId;
  readonly isEnrolled: boolean;
}

/** The keys that the doctor could read; a missing gateway key is null. */
export interface FoundKeys {
  readonly gateway: Signer | null;
  readonly keyed: readonly Keyed[];
  readonly checks: readonly Check[];
}

/** Looks at each key: there, private, of this meter, enrolled. */
export async function checkKeys(config: GatewayConfig): Promise<FoundKeys> {
  if (!existsSync(config.data_dir))
    return { gateway: null, keyed: [], checks: [unseen('keys', 'there is no data_dir')] };
  const keys = keyStore(config);
  const checks: Check[] = [];
  const attempt = async <T>(what: string, read: () => Promise<T>): Promise<T | null> => {
    try {
      return await read();
    } catch (error) {
      const known = error instanceof OperatorError ? error : operatorErrorOf(error);
      if (!known) throw error;
      checks.push(problem(`keys, ${what}`, known.message));
      return null;
    }
  };
  const gateway = await attempt('gateway', () => keys.gateway(false));
  const meters: { readonly config: MeterConfig; readonly key: MeterKey }[] = [];
  for (const meter of config.meters) {
    const key = await attempt(meter.name, () => keys.meter(meter.name, plateOf(meter), false));
    if (key) meters.push({ config: meter, key });
  }
  const isWhole = meters.length === config.meters.length;
  const points = isWhole ? await attempt('points', () => pointKeys(config, keys, meters, false)) : null;
  const enrolled = await attempt('enrolments', () => findEnrolled(nodeDisk, spoolDir(config)));
  const keyed = [...meters, ...(points ?? [])].map(({ config: { name }, key }): Keyed => {
    const id = asMeterId(key.meterId);
    return { name, id, isEnrolled: enrolled?.has(id) ?? false };
  });
  for (const { name, isEnrolled } of enrolled ? keyed : [])
    checks.push(
      isEnrolled
        ? well(`keys, ${name}`, 'there, private and enrolled')
        : problem(`keys, ${name}`, 'is not enrolled: run `enrol`, and have the utility register it'),
    );
  if (gateway) checks.push(well('keys, gateway', 'there and private'));
  return { gateway, keyed, checks };
}

/** Looks whether the status page can have its port. `isRunning`: the gateway itself has it. */
export async function checkPage({ http }: GatewayConfig, isRunning: boolean): Promise<Check[]> {
  const where = 'status page';
  if (!http) return [unseen(where, 'the configuration has no http section')];
  if (isRunning) return [well(where, `the gateway answers on ${http.host}:${http.port}`)];
  const limits = { connections: 1, perAddress: 1 };
  const times = { checkMs: 1_000, headersMs: 1, requestMs: 1, answerMs: 1, keepAliveMs: 1, handshakeMs: 1 };
  const server = boundedHttpServer({ handle: (_, response) => response.end(), limits, times });
  try {
    await listening(server, http);
    return [well(where, `${http.host}:${http.port} is free`)];
  } catch (error) {
    const known = listenError(error, 'http.port', http);
    if (!(known instanceof OperatorError)) throw error;
    return [problem(where, `${known.problem}; ${known.advice}`)];
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
