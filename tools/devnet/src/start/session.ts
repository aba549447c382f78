import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { programIds } from '@gridtokenx/chain-client';
import { toHex } from '@gridtokenx/protocol';
import { Connection, type Keypair } from '@solana/web3.js';
import type { ChainConfig } from '../chain/main.js';
import { readJson, writeFileDurably, writeJson } from '../files.js';
import { projectRoot } from '../root.js';
import { diskProblem, UserError } from '../user-error.js';
import { ClockKeeper } from './clock-keeper.js';
import { checkDataIn, isAlive, networkIn } from './data-folder.js';
import { Deployment, type Parties } from './deployment.js';
import { startHealth } from './health.js';
import {
  BROKER_NAME,
  connectionLimits,
  enrolGateway,
  gatewayScript,
  type Home,
  homesOf,
  initGateway,
  writeGatewayConfig,
  writeMetersConfig,
  writeYaml,
} from './homes.js';
import { partyKey } from './keys.js';
import { checkPorts, HOST, type Paths, type Ports, pathsIn, portsFrom } from './layout.js';
import type { StartOptions } from './options.js';
import { OracleApi } from './oracle-api.js';
import type { Plan } from './plan.js';
import type { ReportedHome } from './report.js';
import { ServiceWatch, type WatchedService } from './service-watch.js';
import { runOnce, Supervisor } from './supervisor.js';

const CHAIN = join(projectRoot, 'tools/devnet/dist/chain/main.js');
const BROKER = join(projectRoot, 'broker/dist/main.js');
const ORACLE = join(projectRoot, 'oracle/dist/main.js');
const METERS = join(projectRoot, 'simulators/dist/meters-main.js');

/** A node that is alive answers in milliseconds. */
const RPC_TIMEOUT_MS = 10_000;

type Say = (line: string) => void;

/** Everything that runs for one `npm start`, brought up step by step. */
export class Session {
  readonly options: StartOptions;
  readonly plan: Plan;
  readonly paths: Paths;
  readonly ports: Ports;
  readonly homes: readonly Home[];
  readonly supervisor: Supervisor;
  readonly services: ServiceWatch;
  readonly connection: Connection;
  readonly api: OracleApi;
  readonly clock: ClockKeeper;
  /** Filled while the homes are enrolled. */
  readonly reported: ReportedHome[] = [];
  readonly #say: Say;
  #diskProblem: string | null = null;
  readonly #health: ReturnType<typeof startHealth>;

  private constructor(options: StartOptions, plan: Plan, say: Say) {
    this.options = options;
    this.plan = plan;
    this.paths = pathsIn(options.data);
    this.ports = portsFrom(options.ports);
    this.homes = homesOf(plan.profiles, this.ports);
    this.supervisor = new Supervisor(this.paths.logs, say);
    const clock = () => this.#diskProblem;
    this.services = new ServiceWatch(this.#healthPages(), say);
    this.#health = startHealth({ supervisor: this.supervisor, services: this.services, clock, now: Date.now });
    this.connection = new Connection(this.rpcUrl, {
      commitment: 'confirmed',
      fetch: (url, init) =>
        fetch(url as string, { ...(init as RequestInit), signal: AbortSignal.timeout(RPC_TIMEOUT_MS) }),
      wsEndpoint: `ws://${HOST}:${this.ports.webSocket}`,
    });
    this.api = new OracleApi(this.pageUrl);
    this.#say = say;
    this.#claimData();
    this.clock = ClockKeeper.open(
      {
        load: () => (existsSync(this.paths.clock) ? readFileSync(this.paths.clock, 'utf8') : null),
        save: (text) => writeFileDurably(this.paths.clock, text),
      },
      {
        profileStartMs: plan.startMs,
        profileWindows: plan.windows,
        windows: options.windows,
        speed: options.speed,
      },
      Date.now,
    );
  }

  /** Checks ports and data folder. Throws `UserError`; nothing was started then. */
  static async open(options: StartOptions, plan: Plan, say: Say): Promise<Session> {
    try {
      mkdirSync(options.data, { recursive: true });
    } catch (error) {
      throw new UserError(`--data ${options.data}: cannot be made (${(error as NodeJS.ErrnoException).code})`);
    }
    await checkPorts(portsFrom(options.ports), plan.profiles.length);
    checkDataIn(options.data);
    return new Session(options, plan, say);
  }

  get rpcUrl(): string {
    return `http://${HOST}:${this.ports.rpc}`;
  }
  get pageUrl(): string {
    return `http://${HOST}:${this.ports.page}`;
  }
  get mqttUrl(): string {
    return `mqtt://${HOST}:${this.ports.mqtt}`;
  }

  /** Where each service says how it is. */
  #healthPages(): WatchedService[] {
    const { page, brokerHttp, chainHttp, gatewayHttp } = this.ports;
    const at = (name: string, port: number) => ({ name, url: `http://${HOST}:${port}/healthz` });
    const gateways = this.homes.map((home, i) => at(`gateway-${home.number}`, gatewayHttp(i)));
    return [at('chain', chainHttp), at('broker', brokerHttp), at('oracle', page), ...gateways];
  }

  /** One process per data folder, one profile per data folder. */
  #claimData(): void {
    const running = readJson<{ pid: number }>(this.paths.lock);
    if (running && isAlive(running.pid)) {
      throw new UserError(`${this.options.data} is in use by process ${running.pid}: stop it, or give another --data`);
    }
    const known = readJson<{ profiles: string }>(this.paths.identity);
    if (known && known.profiles !== this.plan.profilesHash) {
      throw new UserError(
        `${this.options.data} was made with another profile: give the same --profiles, or another --data`,
      );
    }
    writeJson(this.paths.lock, { pid: process.pid });
    writeJson(this.paths.identity, { profiles: this.plan.profilesHash, file: this.plan.profilesPath });
  }

  /** Brings everything up and enrols the homes; simulated time still stands when it returns. */
  async bringUp(): Promise<void> {
    const parties: Parties = {
      authority: partyKey(this.paths, 'authority'),
      utility: partyKey(this.paths, 'utility'),
      installer: partyKey(this.paths, 'installer'),
      attestor: partyKey(this.paths, 'attestor'),
    };
    const owners = this.homes.map((home) => partyKey(this.paths, `owner-${home.folder}`));
    this.#say('Starting the chain: a real SVM node with the three programs ...');
    await this.#startChain(parties, owners);
    const deployment = new Deployment(this.connection, parties);
    await deployment.fund([...Object.values(parties), ...owners].map((key) => key.publicKey));
    const networkId = toHex(await deployment.initialise());
    // Before anything is signed for this network: a chain that came back without it would be another network for good.
    await this.#snapshot();
    const oracleKey = await this.#prepareOracle(networkId);
    const gateways = await this.#prepareGateways(owners, networkId, oracleKey);
    this.#writeBroker(oracleKey, gateways);
    this.#say('Starting the broker and the meters ...');
    await this.supervisor.start({ name: 'broker', script: BROKER, args: ['run', '--config', this.paths.brokerConfig] });
    writeMetersConfig(this.homes, this.plan.profilesPath, this.paths, this.ports);
    await this.supervisor.start({ name: 'meters', script: METERS, args: ['run', '--config', this.paths.metersConfig] });
    await this.#enrol(deployment, owners, gateways);
    await this.#snapshot();
    this.#say('Starting the oracle and the gateways ...');
    await this.supervisor.start({ name: 'oracle', script: ORACLE, args: ['run', '--config', this.paths.oracleConfig] });
    await Promise.all(
      this.homes.map((home) =>
        this.supervisor.start({
          name: `gateway-${home.number}`,
          script: gatewayScript,
          args: ['run', '--config', this.paths.gatewayConfig(home.folder)],
        }),
      ),
    );
    // For people and for tests that kill: which process is which.
    this.writePids();
  }

  /** Reserves simulated time ahead, and says which processes run. */
  keepTime(): void {
    try {
      this.clock.reserve();
      this.writePids();
      if (this.#diskProblem) this.#say('The disk takes writes again; simulated time goes on.');
      this.#diskProblem = null;
    } catch (error) {
      // Time that is not reserved durably is not shown to anyone, so it stands still until there is room.
      const problem = diskProblem(error, this.options.data);
      if (problem !== this.#diskProblem) this.#say(`${problem}. Simulated time stands still meanwhile.`);
      this.#diskProblem = problem;
    }
  }

  /** Process ids beside the lock, by name, and what is wrong. */
  writePids(): void {
    const health = this.#health.report();
    writeJson(this.paths.lock, { pid: process.pid, processes: this.supervisor.pids(), health });
  }

  async #startChain(parties: Parties, owners: readonly Keypair[]): Promise<void> {
    const config: ChainConfig = {
      host: HOST,
      rpcPort: this.ports.rpc,
      wsPort: this.ports.webSocket,
      httpPort: this.ports.chainHttp,
      snapshotPath: this.paths.snapshot,
      networkId: networkIn(this.paths),
      folder: this.options.data,
      authority: parties.authority.publicKey.toBase58(),
      wallets: [...Object.values(parties), ...owners].map((key) => key.publicKey.toBase58()),
    };
    writeJson(this.paths.chainConfig, config);
    await this.supervisor.start({ name: 'chain', script: CHAIN, args: ['--config', this.paths.chainConfig] });
    for (const problem of await this.#chainProblems()) this.#say(`chain: ${problem}`);
  }

  async #chainProblems(): Promise<string[]> {
    const response = await fetch(`http://${HOST}:${this.ports.chainHttp}/healthz`);
    return ((await response.json()) as { problems?: string[] }).problems ?? [];
  }

  async #snapshot(): Promise<void> {
    const response = await fetch(`http://${HOST}:${this.ports.chainHttp}/snapshot`, { method: 'POST' });
    if (response.ok) return;
    const { error } = (await response.json()) as { error?: string };
    throw new UserError(`chain: ${error ?? response.status}`);
  }

  async #prepareOracle(networkId: string): Promise<string> {
    writeYaml(this.paths.oracleConfig, {
      network_id: networkId,
      rpc_url: this.rpcUrl,
      data_dir: this.paths.oracleData,
      key_file: this.paths.oracleKey,
      attestor_key_file: this.paths.key('attestor'),
      broker: { url: this.mqttUrl, name: BROKER_NAME },
      page: { host: HOST, port: this.ports.page },
      service: { host: HOST, port: this.ports.service },
      clock: { simulated: this.paths.clock, utc_offset_minutes: this.plan.offsetMinutes },
      chain: { snapshot_url: `http://${HOST}:${this.ports.chainHttp}/snapshot` },
    });
    return (await runOnce(ORACLE, ['init', '--config', this.paths.oracleConfig])).trim().split('\n').at(-1) ?? '';
  }

  async #prepareGateways(owners: readonly Keypair[], networkId: string, oracleKey: string): Promise<string[]> {
    const context = { paths: this.paths, ports: this.ports, networkId, oracleKey, speed: this.options.speed };
    return Promise.all(
      this.homes.map((home, i) => {
        const owner = owners[i]?.publicKey.toBase58() ?? '';
        return initGateway(writeGatewayConfig(home, owner, context));
      }),
    );
  }

  #writeBroker(oracleKey: string, gateways: readonly string[]): void {
    writeYaml(this.paths.brokerConfig, {
      name: BROKER_NAME,
      host: HOST,
      port: this.ports.mqtt,
      keysFile: this.paths.brokerKeys,
      http: { host: HOST, port: this.ports.brokerHttp },
    });
    const keys = [
      { publicKey: oracleKey, role: 'oracle', status: 'active', name: 'oracle' },
      ...gateways.map((publicKey, i) => ({
        publicKey,
        role: 'gateway',
        status: 'active',
        name: this.homes[i]?.folder ?? '',
      })),
    ];
    writeJson(this.paths.brokerKeys, { version: 1, keys });
  }

  async #enrol(deployment: Deployment, owners: readonly Keypair[], gateways: readonly string[]): Promise<void> {
    for (const [i, home] of this.homes.entries()) {
      const owner = owners[i];
      const gateway = gateways[i];
      if (!owner || !gateway) throw new Error(`home ${home.number} has no owner or gateway`);
      const out = this.paths.enrolment(home.folder);
      const isNew = !existsSync(out);
      const meter = await enrolGateway(this.paths.gatewayConfig(home.folder), out);
      await deployment.enrol(meter, owner, connectionLimits);
      if (home.destination === 'wallet') await deployment.mintToWallet(meter, owner);
      this.reported.push({ name: home.name, meterId: meter.meter_id, gateway, owner: owner.publicKey.toBase58() });
      if (isNew) {
        const where = home.destination === 'wallet' ? 'to its owner' : 'to the pool';
        this.#say(
          `home ${home.number} (${home.name}): ${home.model} over ${home.transport}, enrolled; tokens go ${where}`,
        );
      }
    }
  }

  /** Stops everything in the order that loses nothing: sources first, the chain last. */
  async stop(): Promise<void> {
    const names = this.supervisor.names();
    await this.supervisor.stop(names.filter((name) => name.startsWith('gateway')));
    await this.supervisor.stop(['meters']);
    await this.supervisor.stop(['oracle']);
    try {
      this.clock.stop();
    } catch (error) {
      // The last reservation stands: the next start goes on at its end.
      this.#say(diskProblem(error, this.options.data));
    }
    await this.supervisor.stop(['broker']);
    await this.supervisor.stop(['chain']);
    rmSync(this.paths.lock, { force: true });
  }

  /** What a person can open or point a tool at. */
  addresses(): string[] {
    return [
      `  status page  ${this.pageUrl}/`,
      `  metrics      ${this.pageUrl}/metrics (oracle), http://${HOST}:${this.ports.brokerHttp}/metrics (broker), ` +
        `http://${HOST}:${this.ports.gatewayHttp(0)}/metrics (gateway 1)`,
      `  chain RPC    ${this.rpcUrl} (WebSocket ws://${HOST}:${this.ports.webSocket})`,
      '               for trials only: any program on this machine may set accounts and time of this chain',
      `  MQTT         ${this.mqttUrl}`,
      `  oracle       http://${HOST}:${this.ports.service} (signed time, co-signing)`,
      `  programs     ${Object.entries(programIds)
        .map(([name, id]) => `${name} ${id.toBase58()}`)
        .slice(0, 3)
        .join(', ')}`,
      `  data, logs   ${this.options.data}`,
    ];
  }
}
