import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { base58Encode, decodePayload, fromHex, Kind, parseSign1 } from '@gridtokenx/protocol';
import { TestOracle } from '@gridtokenx/testing-kit/fake-oracle';
import {
  command,
  freePort,
  type Running,
  startProcess,
  temporaryDirectory,
  writeJson,
} from '@gridtokenx/testing-kit/processes';
import { SPEED } from './home.js';

const BROKER = 'test-broker';
const NETWORK = '0011223344556677';
const WINDOW_MS = 900_000;

interface Entry {
  readonly name: string;
  readonly meter_id: string;
  readonly key: string;
  readonly message: string;
  readonly import_wh: string;
  readonly export_wh: string;
  readonly owner: string;
  readonly zone: number;
  readonly window: number;
}

/**
 * A site with a production and a consumption meter: simulated meters, broker, gateway and oracle as separate processes.
 * A second oracle in the test listens and sends nothing.
 */
export class Site {
  readonly directory = temporaryDirectory();
  readonly dir = this.directory.path;
  readonly clockPath = join(this.dir, 'clock.json');
  readonly listener: TestOracle = new TestOracle(new Uint8Array(32));
  gateway: Running | null = null;
  #services: Running[] = [];
  #config = '';
  readonly ports = { meters: 0, broker: 0, brokerHttp: 0, gateway: 0, oracle: 0 };
  #anchor = { sim: Date.UTC(2024, 5, 1, 8, 0, 0), real: Date.now() };
  entries: readonly Entry[] = [];

  async setUp(): Promise<void> {
    for (const name of Object.keys(this.ports) as (keyof Site['ports'])[]) this.ports[name] = await freePort();
    this.#writeClock(null);
    await this.#start('simulators/dist/meters-main.js', this.#metersConfig());
    const oracle = join(this.dir, 'oracle.json');
    const url = `mqtt://127.0.0.1:${this.ports.broker}`;
    const http = (port: number) => ({ host: '127.0.0.1', port });
    writeJson(oracle, {
      network_id: NETWORK,
      data_dir: 'oracle-data',
      key_file: 'oracle-key',
      meters_file: 'meters-enrolled.json',
      broker: { url, name: BROKER },
      page: http(this.ports.oracle),
      clock: { simulated: this.clockPath },
    });
    const oracleKey = (await this.#run('oracle/dist/main.js', ['init', '--config', oracle])).trim();
    this.#config = this.#gatewayConfig(url, oracleKey);
    const identity = JSON.parse(await this.#run('edge/dist/main.js', ['init', '--config', this.#config]));
    this.entries = await this.#enrol();
    const key = (publicKey: string, role: string) => ({ publicKey, role, status: 'active', name: role });
    const keysFile = writeJson(join(this.dir, 'keys.json'), {
      version: 1,
      keys: [key(identity.gateway, 'gateway'), key(oracleKey, 'oracle'), key(this.listener.name, 'oracle')],
    });
    const broker = {
      name: BROKER,
      host: '127.0.0.1',
      port: this.ports.broker,
      keysFile,
      http: http(this.ports.brokerHttp),
    };
    await this.#start('broker/dist/main.js', writeJson(join(this.dir, 'broker.json'), broker));
    this.listener.acking = false;
    await this.listener.connect(url, BROKER);
    await this.#start('oracle/dist/main.js', oracle);
  }

  #metersConfig(): string {
    // Production in every other window, above the house's consumption; both meters show their own half.
    const rows = Array.from({ length: 200 }, (_, i) => [
      `pv,${i * 900},0,${i % 2 === 0 ? 900 : 30}`,
      `house,${i * 900},${i % 3 === 0 ? 500 : 200},0`,
    ]).flat();
    const profiles = join(this.dir, 'profile.csv');
    writeFileSync(profiles, ['home,time,consumption_wh,production_wh', ...rows].join('\n'));
    const meter = (home: string, unit: number) => ({
      home,
      model: 'eastron-sdm630',
      transport: 'tcp',
      host: '127.0.0.1',
      port: this.ports.meters,
      unit,
      serial: 4_700 + unit,
      initial_import_wh: 1_000 * unit,
      initial_export_wh: 2_000 * unit,
    });
    const meters = [meter('pv', 5), meter('house', 6)];
    return writeJson(join(this.dir, 'meters.json'), { clock: this.clockPath, profiles, meters });
  }

  #gatewayConfig(url: string, oracleKey: string): string {
    const meter = (name: string, role: string, unit: number) => ({
      name,
      manufacturer: 'Eastron',
      model: 'SDM630',
      serial: `${4_700 + unit}`,
      profile: 'eastron-sdm630',
      bus: 'bus',
      unit,
      poll_seconds: 60,
      owner: base58Encode(new Uint8Array(32).fill(5)),
      zone: 1,
      source: 'solar',
      role,
      export_limit_w: 10_000,
      import_limit_w: 10_000,
    });
    return writeJson(join(this.dir, 'gateway.json'), {
      network_id: NETWORK,
      data_dir: join(this.dir, 'data'),
      name: 'site-1',
      broker: { url, name: BROKER },
      oracles: [{ key: oracleKey }],
      clock: { simulated: this.clockPath },
      boundary_lead_seconds: 50,
      http: { host: '127.0.0.1', port: this.ports.gateway },
      buses: [{ name: 'bus', transport: 'tcp', host: '127.0.0.1', port: this.ports.meters, rest_at_start_ms: 0 }],
      meters: [meter('pv', 'production', 5), meter('house', 'consumption', 6)],
      points: [{ name: 'home', production: 'pv', consumption: 'house' }],
    });
  }

  /** Enrols all three meters, and registers them with the oracle as the utility would. */
  async #enrol(): Promise<Entry[]> {
    const out = join(this.dir, 'enrolment.json');
    await this.#run('edge/dist/main.js', ['enrol', '--config', this.#config, '--out', out]);
    const entries = JSON.parse(readFileSync(out, 'utf8')) as Entry[];
    const meters = entries.map(({ name: _, message, import_wh, export_wh, window, ...entry }) => {
      const payload = decodePayload(parseSign1(fromHex(message)).payload);
      if (payload.kind !== Kind.enrolment) throw new Error('no enrolment');
      return {
        ...entry,
        signer: 'gateway',
        role: payload.role,
        import_baseline_wh: import_wh,
        export_baseline_wh: export_wh,
        export_limit_w: 10_000,
        import_limit_w: 10_000,
        enrolment_window: window,
      };
    });
    writeJson(join(this.dir, 'meters-enrolled.json'), { version: 1, meters });
    return entries;
  }

  /** Lets simulated time run; the profile plays from the next window on. */
  play(): void {
    const sim = this.#anchor.sim + (Date.now() - this.#anchor.real) * SPEED;
    this.#writeClock(Math.ceil((sim + 1) / WINDOW_MS) * WINDOW_MS);
  }

  #writeClock(simStartMs: number | null): void {
    writeJson(this.clockPath, {
      version: 1,
      speed: SPEED,
      anchorSimMs: this.#anchor.sim,
      anchorRealMs: this.#anchor.real,
      reservedThroughMs: this.#anchor.sim + 864_000_000,
      segments: simStartMs === null ? [] : [{ simStartMs, positionStartMs: 0, positionEndMs: null }],
    });
  }

  async startGateway(): Promise<Running> {
    this.gateway = await startProcess('edge/dist/main.js', ['run', '--config', this.#config]);
    return this.gateway;
  }

  async #start(script: string, config: string): Promise<void> {
    this.#services.push(await startProcess(script, ['run', '--config', config]));
  }

  async #run(script: string, args: readonly string[]): Promise<string> {
    const { code, output } = await command(script, args);
    if (code !== 0) throw new Error(`${script} ${args[0]}: ${code}\n${output}`);
    return output;
  }

  idOf(name: string): string {
    return this.entries.find((entry) => entry.name === name)?.meter_id ?? '';
  }

  async gatewayStatus(): Promise<{ meters: Record<string, unknown>[]; problems: string[]; spool: { depth: number } }> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.gateway}/api/v1/status`);
    return answer.json() as Promise<{
      meters: Record<string, unknown>[];
      problems: string[];
      spool: { depth: number };
    }>;
  }

  /** Returns the number of a meter's statements in the oracle's ledger, by verdict. */
  verdicts(name: string): Record<number, number> {
    const ledger = new DatabaseSync(join(this.dir, 'oracle-data', 'ledger.sqlite'), { readOnly: true });
    try {
      const rows = ledger
        .prepare(
          'SELECT verdict, count(*) AS n FROM messages JOIN streams s ON s.id = stream WHERE kind = 2 AND s.meter = ? GROUP BY verdict',
        )
        .all(this.idOf(name));
      return Object.fromEntries(rows.map(({ verdict, n }) => [Number(verdict), Number(n)]));
    } finally {
      ledger.close();
    }
  }

  async tearDown(): Promise<void> {
    await this.listener.close();
    for (const service of [this.gateway, ...this.#services]) await service?.kill('SIGKILL');
    this.directory.remove();
  }
}
