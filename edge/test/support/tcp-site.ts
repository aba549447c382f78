import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModbusServer, type ModbusUnit } from '@gridtokenx/simulators';
import { type GatewayConfig, parseGatewayConfig } from '../../src/wiring/config.js';

export const OWNER = '9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin';

/** A folder of its own for one site, with meters on Modbus TCP. */
export class TcpSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'gridtokenx-site-'));
  #server: ModbusServer | null = null;

  /** Serves meters; returns their port. */
  async serve(
    meters: ConstructorParameters<typeof ModbusServer>[1] | ReadonlyMap<number, ModbusUnit>,
    transport: 'tcp' | 'rtu-over-tcp' = 'tcp',
  ): Promise<number> {
    this.#server = new ModbusServer(transport, meters);
    return this.#server.listen('127.0.0.1', 0);
  }

  /** Writes a clock that shows the real time and is known to be right; returns the key of the configuration. */
  clock(): object {
    const [file, now] = [this.path('clock.json'), Date.now()];
    const anchor = { anchorSimMs: now, anchorRealMs: now, reservedThroughMs: now + 86_400_000 };
    writeFileSync(file, JSON.stringify({ version: 1, speed: 1, ...anchor, segments: [] }));
    return { clock: { simulated: file } };
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Returns the values of a configuration with one SDM120 at a port, changed by the caller. */
  values(port: number, change: object = {}, meter: object = {}, bus: object = {}): Record<string, unknown> {
    return {
      network_id: '0011223344556677',
      data_dir: this.path('data'),
      name: 'home-1',
      broker: { url: 'mqtt://127.0.0.1:1', name: 'dev' },
      oracles: [{ key: OWNER }],
      buses: [{ name: 'lan', transport: 'tcp', host: '127.0.0.1', port, ...bus }],
      meters: [
        {
          ...{ name: 'main', manufacturer: 'Eastron', model: 'SDM120', serial: '10000001' },
          ...{ profile: 'eastron-sdm120', bus: 'lan', unit: 1, owner: OWNER, zone: 1 },
          ...{ export_limit_w: 10_000, import_limit_w: 10_000, ...meter },
        },
      ],
      ...change,
    };
  }

  config(...args: Parameters<TcpSite['values']>): GatewayConfig {
    return parseGatewayConfig(JSON.stringify(this.values(...args)), 'gateway.json');
  }

  async end(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
