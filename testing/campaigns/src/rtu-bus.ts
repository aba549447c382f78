import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { Random } from '@gridtokenx/testing-kit/random';
import { makeClient } from '#edge/adapters/modbus/library.js';
import { Bus } from '#edge/domain/bus/bus.js';
import type { BusOptions } from '#edge/domain/bus/bus-options.js';
import { RtuFraming } from '#edge/domain/bus/framing.js';

/** Returns the gateway's own bus on a simulated RTU line. `random` makes the bus's random choices. */
export function rtuBus({
  random,
  ...options
}: Pick<BusOptions, 'quarantine' | 'open' | 'clock' | 'speed' | 'requestMs' | 'minTimeoutMs' | 'restMs'> & {
  readonly random: Random;
}): Bus {
  return new Bus({
    log: quietLog,
    ...options,
    name: 'line',
    makeClient,
    random,
    shapes: true,
    makeFraming: (quarantine) => new RtuFraming(quarantine),
    connectMs: 1_000,
  });
}
