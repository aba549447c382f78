import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import { gatewayKey, TestOracle } from '@gridtokenx/testing-kit/fake-oracle';
import {
  command,
  freePort,
  type Running,
  startProcess,
  temporaryDirectory,
  writeJson,
} from '@gridtokenx/testing-kit/processes';

const BROKER = 'test-broker';
/** Simulated seconds per real second in these tests: a window takes 7.5 s. */
export const SPEED = 180;
const WINDOW_MS = 900_000;

/** One home with a simulated meter, a broker and a test oracle; all but the oracle are separate processes. */
export class Home {
  readonly directory = temporaryDirectory();
  readonly dir = this.directory.path;
  readonly clockPath = join(this.dir, 'clock.json');
  readonly profilesPath = join(this.dir, 'profile.csv');
  config = '';
  gateway: Running | null = null;
  broker: Running | null = null;
  meters: Running | null = null;
  oracles: readonly TestOracle[] = [];
  /** The first oracle; null before set-up. */
  oracle: TestOracle | null = null;
  identity: { gateway: string; meters: { name: string; meter_id: string; key: string }[] } | null = null;
  url = '';
  httpPort = 0;
  /** Start of the profile in simulated time, ms. */
  startAtMs = 0;

  get meterId(): string {
    return this.identity?.meters[0]?.meter_id ?? '';
  }

  /** `oracles`: the number of oracles; a single one suffices for an ack. */
  async setUp(transport: 'tcp' | 'rtu-over-tcp' = 'tcp', oracles = 1): Promise<void> {
    const meterPort = await freePort();
    const [brokerPort, brokerHttp] = [await freePort(), await freePort()];
    this.httpPort = await freePort();
    this.url = `mqtt://127.0.0.1:${brokerPort}`;
    this.writeClock(false);
    this.metersConfig = this.#writeMeters(transport, meterPort);
    await this.startMeters();
    const names = Array.from({ length: oracles }, (_, place) => new TestOracle(new Uint8Array(32), place).name);
    this.config = this.#writeGateway(transport, meterPort, names);
    const init = await command('edge/dist/main.js', ['init', '--config', this.config]);
    if (init.code !== 0) throw new Error(init.output);
    this.identity = JSON.parse(init.output);
    const gateway = gatewayKey(this.identity?.gateway ?? '');
    this.oracles = names.map((_, place) => new TestOracle(gateway, place));
    this.oracle = this.oracles[0] ?? null;
    const key = (publicKey: string, role: string) => ({ publicKey, role, status: 'active', name: role });
    const keysFile = writeJson(join(this.dir, 'keys.json'), {
      version: 1,
      keys: [key(this.identity?.gateway ?? '', 'gateway'), ...names.map((name) => key(name, 'oracle'))],
    });
    this.brokerConfig = writeJson(join(this.dir, 'broker.json'), {
      name: BROKER,
      host: '127.0.0.1',
      port: brokerPort,
      keysFile,
      http: { host: '127.0.0.1', port: brokerHttp },
    });
    await this.startBroker();
    for (const oracle of this.oracles) await oracle.connect(this.url, BROKER);
  }

  #writeMeters(transport: string, port: number): string {
    const rows = Array.from(
      { length: 96 },
      (_, i) => `home,${i * 900},${i % 3 === 0 ? 400 : 100},${i % 3 === 1 ? 900 : 200}`,
    );
    const profiles = this.profilesPath;
    writeFileSync(profiles, ['home,time,consumption_wh,production_wh', ...rows].join('\n'));
    const meter = {
      ...{ home: 'home', model: 'eastron-sdm630', transport, host: '127.0.0.1', port, unit: 5, serial: 4711 },
      ...{ initial_import_wh: 1_000_000, initial_export_wh: 2_000_000 },
    };
    return writeJson(join(this.dir, 'meters.json'), { clock: this.clockPath, profiles, meters: [meter] });
  }

  #writeGateway(transport: string, meterPort: number, oracles: readonly string[]): string {
    return writeJson(join(this.dir, 'gateway.json'), {
      network_id: '0011223344556677',
      data_dir: join(this.dir, 'data'),
      name: 'home-1',
      broker: { url: this.url, name: BROKER },
      oracles: oracles.map((key) => ({ key })),
      ack_threshold: 1,
      clock: { simulated: this.clockPath },
      boundary_lead_seconds: 50,
      http: { host: '127.0.0.1', port: this.httpPort },
      buses: [{ name: 'bus', transport, host: '127.0.0.1', port: meterPort, rest_at_start_ms: 0 }],
      meters: [
        {
          ...{ name: 'main', manufacturer: 'Eastron', model: 'SDM630', serial: '4711' },
          ...{ profile: 'eastron-sdm630', bus: 'bus', unit: 5, poll_seconds: 30 },
          owner: base58Encode(new Uint8Array(32).fill(5)),
          ...{ zone: 1, source: 'solar', role: 'point', export_limit_w: 10_000, import_limit_w: 10_000 },
        },
      ],
    });
  }

  metersConfig = '';
  brokerConfig = '';

  async startMeters(): Promise<void> {
    this.meters = await startProcess('simulators/dist/meters-main.js', ['run', '--config', this.metersConfig]);
  }
  async startBroker(): Promise<void> {
    this.broker = await startProcess('broker/dist/main.js', ['run', '--config', this.brokerConfig]);
  }
  async startGateway(): Promise<Running> {
    this.gateway = await startProcess('edge/dist/main.js', ['run', '--config', this.config]);
    return this.gateway;
  }

  /**
   * Lets simulated time run; when `playing`, the profile plays from the next window on, for `windows` windows (null:
   * all).
   */
  writeClock(playing: boolean, windows: number | null = null): void {
    const now = Date.now();
    const sim = playing ? this.simNow(now) : Date.UTC(2024, 5, 1, 8, 0, 0);
    if (!playing) this.anchor = { sim, real: now };
    this.startAtMs = Math.ceil((sim + 1) / WINDOW_MS) * WINDOW_MS;
    writeJson(this.clockPath, {
      version: 1,
      speed: SPEED,
      anchorSimMs: this.anchor.sim,
      anchorRealMs: this.anchor.real,
      reservedThroughMs: sim + 86_400_000,
      segments: playing
        ? [{ simStartMs: this.startAtMs, positionStartMs: 0, positionEndMs: windows && windows * WINDOW_MS }]
        : [],
    });
  }
  anchor = { sim: 0, real: 0 };
  simNow(now = Date.now()): number {
    return this.anchor.sim + (now - this.anchor.real) * SPEED;
  }

  async enrol(): Promise<{ code: number | null; output: string; text: string }> {
    const out = join(this.dir, 'enrolment.json');
    const result = await command('edge/dist/main.js', ['enrol', '--config', this.config, '--out', out]);
    return { ...result, text: result.code === 0 ? readFileSync(out, 'utf8') : '' };
  }

  async status(): Promise<Record<string, unknown>> {
    return (await fetch(`http://127.0.0.1:${this.httpPort}/api/v1/status`)).json() as Promise<Record<string, unknown>>;
  }

  async tearDown(): Promise<void> {
    for (const oracle of this.oracles) await oracle.close();
    for (const service of [this.gateway, this.meters, this.broker]) await service?.kill('SIGKILL');
    this.directory.remove();
  }
}
