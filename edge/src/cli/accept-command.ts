import { asMeterId, type MeterId, toHex } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { AcceptRequests, MAX_REASON } from '../adapters/accept/requests.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import type { Disk } from '../domain/ports.js';
import type { GatewayConfig } from '../wiring/config.js';
import { keyStore, plateOf, StartError } from '../wiring/setup.js';
import { stateDir } from '../wiring/states.js';

/** Longest wait for the running gateway's answer, and interval of checks, ms. */
const ANSWER_MS = 20_000;
const LOOK_MS = 250;

export interface AcceptOptions {
  readonly meter: string;
  readonly reason: string;
}

/**
 * Asks the gateway that works in the data directory to accept the registers of a meter [gateway §7.4]. Resolves with a
 * sentence about the outcome. Throws `StartError` when the gateway refuses.
 */
export async function acceptRegister(
  config: GatewayConfig,
  options: AcceptOptions,
  { clock = systemClock, disk = nodeDisk }: { clock?: Clock; disk?: Disk } = {},
): Promise<string> {
  const reason = options.reason.trim();
  if (reason === '' || reason.length > MAX_REASON)
    throw new StartError(`--reason: expected 1 to ${MAX_REASON} characters that say why the registers changed`);
  const meterId = await meterIdOf(config, options.meter);
  const requests = new AcceptRequests(disk, stateDir(config));
  await requests.ask({ meterId, reason }).catch((error: Error) => {
    throw new StartError(`${config.data_dir} does not take the request: ${error.message}`);
  });
  const untilMs = clock.monotonicMs() + ANSWER_MS;
  while (clock.monotonicMs() < untilMs) {
    const answer = await requests.answer(meterId);
    if (answer?.problem) throw new StartError(`meter ${options.meter}: ${answer.problem}`);
    if (answer) return `meter ${options.meter}: accepted; its count goes on from the last good registers`;
    await sleep(clock, LOOK_MS);
  }
  return `meter ${options.meter}: the request is stored; the gateway answers it when it runs and has read the meter twice: see "status"`;
}

async function meterIdOf(config: GatewayConfig, name: string): Promise<MeterId> {
  const meter = config.meters.find((one) => one.name === name);
  if (!meter) {
    const names = config.meters.map((one) => one.name).join(', ');
    throw new StartError(`there is no meter "${name}": the configuration has ${names}`);
  }
  const { meterId } = await keyStore(config, { isSigning: false }).meter(meter.name, plateOf(meter), false);
  return asMeterId(toHex(meterId));
}
