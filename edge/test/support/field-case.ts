import { systemClock } from '@gridtokenx/runtime/node';
import { afterEach, beforeEach, vi } from 'vitest';
import { doctor } from '../../src/cli/doctor-command.js';
import { parseGatewayConfig } from '../../src/wiring/config.js';
import { closeBuses, lineOf, openBuses } from '../../src/wiring/readers.js';
import { OWNER } from './scan-bench.js';
import { TcpDevice, type TcpDeviceOptions } from './tcp-device.js';

export interface CaseMeter {
  readonly profile: string;
  readonly unit?: number;
  readonly role?: string;
  /** Further keys of the meter and of its bus. */
  readonly meter?: Readonly<Record<string, unknown>>;
  readonly bus?: Readonly<Record<string, unknown>>;
  readonly requestMs?: number;
}

/** Writes the configuration of one meter at a loopback address. */
export function configTextOf(port: number, options: CaseMeter): string {
  const { profile, unit = 1, role = 'point', meter = {}, bus = {}, requestMs = 300 } = options;
  const line = { name: 'lan', transport: 'tcp', host: '127.0.0.1', port, ...bus };
  const one = {
    ...{ name: 'house', manufacturer: 'Maker', model: 'M', serial: '1', profile, bus: 'lan', unit, role },
    ...{ poll_seconds: 10, owner: OWNER, zone: 1, export_limit_w: 10_000, import_limit_w: 10_000, ...meter },
  };
  return JSON.stringify({
    ...{ network_id: '0011223344556677', data_dir: '/tmp/field', name: 'home-1', request_timeout_ms: requestMs },
    ...{ broker: { url: 'mqtt://127.0.0.1:1', name: 'dev' }, oracles: [{ key: OWNER }] },
    ...{ buses: [line], meters: [one] },
  });
}

/**
 * Runs field cases over a real connection: a device that behaves as somebody reported it, read by the gateway's own
 * readers from a configuration. Each test closes what it opened.
 */
export class FieldCase {
  readonly said: string[] = [];
  readonly #cleanups: (() => unknown)[] = [];

  constructor() {
    beforeEach(() => {
      this.said.length = 0;
      vi.spyOn(console, 'log').mockImplementation((text) => void this.said.push(String(text)));
      vi.spyOn(console, 'error').mockImplementation(() => {});
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
    });
  }

  async device(options: TcpDeviceOptions): Promise<TcpDevice> {
    const device = await TcpDevice.start(options);
    this.#cleanups.push(() => device.close());
    return device;
  }

  /** Opens the meter's line as `run` does. */
  open(port: number, options: CaseMeter) {
    const config = parseGatewayConfig(configTextOf(port, options), 'gateway.yaml');
    const buses = openBuses(config, systemClock);
    this.#cleanups.push(() => closeBuses(buses));
    const readingClock = {
      nowMs: () => systemClock.nowMs(),
      steadyMs: () => systemClock.monotonicMs(),
      uncertaintyMs: () => null,
    };
    const [meter] = config.meters;
    const bus = buses.get('lan');
    if (!meter || !bus) throw new Error('the configuration has one meter on one bus');
    const { reader, checkProbe } = lineOf(config, meter, { buses, readingClock, clock: systemClock });
    return { config, bus, reader, checkProbe };
  }

  /** Runs the command `doctor` on the bus; returns its lines about it, but for what is well. */
  async doctor(port: number, options: CaseMeter): Promise<{ isWell: boolean; said: readonly string[] }> {
    const config = parseGatewayConfig(configTextOf(port, options), 'gateway.yaml');
    const isWell = await doctor(config, 'lan', new AbortController().signal);
    return { isWell, said: this.said.filter((line) => line.includes('bus lan') && !line.includes(': well (')) };
  }
}
