import { existsSync, rmSync } from 'node:fs';
import { type Clock, OperatorError } from '@gridtokenx/runtime/core';
import { makeFolder, operatorErrorOf, readRegularFile, replacePrivateFile } from '@gridtokenx/runtime/node';
import type { Connection } from '@solana/web3.js';
import { connectTo } from '../chain/connection.js';
import { diskProblem } from '../disk.js';
import { readJson, writeJson } from '../files.js';
import { bringUp } from './bring-up.js';
import { ClockKeeper } from './clock-keeper.js';
import { checkDataIn, isAlive } from './data-folder.js';
import { startHealth } from './health.js';
import { checkPorts, portsFrom } from './layout.js';
import type { StartOptions } from './options.js';
import { OracleApi } from './oracle-api.js';
import type { Plan } from './plan.js';
import type { ReportedHome } from './report.js';
import { askHealth, ServiceWatch } from './service-watch.js';
import { healthPages, type Site, siteOf } from './site.js';
import { INSPECTOR_PORT, Supervisor } from './supervisor.js';

/** Dependencies of a session. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** All processes of one `npm start`. */
export class Session {
  readonly site: Site;
  readonly supervisor: Supervisor;
  readonly services: ServiceWatch;
  readonly connection: Connection;
  readonly api: OracleApi;
  /** The owner of simulated time. */
  readonly simulated: ClockKeeper;
  readonly #say: (line: string) => void;
  readonly #health: ReturnType<typeof startHealth>;
  #reported: readonly ReportedHome[] = [];
  #diskProblem: string | null = null;

  private constructor(site: Site, { clock, say }: SessionDeps) {
    const { options, plan, paths } = site;
    this.site = site;
    this.#say = say;
    this.supervisor = new Supervisor(
      paths.logs,
      say,
      clock,
      options.inspect === null ? null : { name: options.inspect, port: INSPECTOR_PORT },
    );
    const now = () => clock.nowMs();
    this.services = new ServiceWatch(healthPages(site), say, askHealth, () => clock.monotonicMs());
    this.#health = startHealth({
      ...{ supervisor: this.supervisor, services: this.services, now },
      clock: () => this.#diskProblem,
    });
    this.connection = connectTo(site.rpcUrl, site.webSocketUrl);
    this.api = new OracleApi(site.pageUrl);
    claimData(site);
    this.simulated = ClockKeeper.open(
      {
        load: () => (existsSync(paths.clock) ? readRegularFile(paths.clock).toString('utf8') : null),
        save: (text) => replacePrivateFile(paths.clock, Buffer.from(text)),
      },
      {
        profileStartsAtMs: plan.startAtMs,
        profileWindows: plan.windows,
        windows: options.windows,
        speed: options.speed,
      },
      clock,
    );
  }

  /** Checks ports and data folder. Rejects with `OperatorError`; then nothing was started. */
  static async open(options: StartOptions, plan: Plan, deps: SessionDeps): Promise<Session> {
    try {
      makeFolder(options.data);
    } catch (cause) {
      const problem = operatorErrorOf(cause)?.problem ?? String((cause as NodeJS.ErrnoException).code);
      const fault = { code: 'no-folder', key: `--data ${options.data}`, problem: `cannot be made (${problem})` };
      throw new OperatorError({ ...fault, advice: 'give another --data' }, { cause });
    }
    await checkPorts(portsFrom(options.ports), plan.profiles.length);
    checkDataIn(options.data);
    return new Session(siteOf(options, plan), deps);
  }

  /** The enrolled homes; empty before `bringUp`. */
  get reported(): readonly ReportedHome[] {
    return this.#reported;
  }

  /** Starts everything and enrols the homes; simulated time has not started when it resolves. */
  async bringUp(): Promise<void> {
    this.#reported = await bringUp(this.site, {
      ...{ connection: this.connection, supervisor: this.supervisor, say: this.#say },
    });
    // Names each process by its id, for people and for tests that kill.
    this.writePids();
  }

  /** Reserves simulated time ahead, and writes the running processes. */
  keepTime(): void {
    try {
      this.simulated.reserve();
      this.writePids();
      if (this.#diskProblem) this.#say('The disk takes writes again; simulated time goes on.');
      this.#diskProblem = null;
    } catch (error) {
      // Nobody may see time that is not reserved durably, so time stands still until the disk has room.
      const problem = diskProblem(error, this.site.options.data);
      if (problem !== this.#diskProblem) this.#say(`${problem}. Simulated time stands still meanwhile.`);
      this.#diskProblem = problem;
    }
  }

  /** Writes process ids by name, and problems, beside the lock. */
  writePids(): void {
    const health = this.#health.report();
    writeJson(this.site.paths.lock, { pid: process.pid, processes: this.supervisor.pids(), health });
  }

  /** Stops everything in the order that loses nothing: sources first, the chain last. */
  async stop(): Promise<void> {
    const names = this.supervisor.names();
    await this.supervisor.stop(names.filter((name) => name.startsWith('gateway')));
    await this.supervisor.stop(['meters']);
    await this.supervisor.stop(['oracle']);
    try {
      this.simulated.stop();
    } catch (error) {
      // The last reservation holds: the next start continues at its end.
      this.#say(diskProblem(error, this.site.options.data));
    }
    await this.supervisor.stop(['broker']);
    await this.supervisor.stop(['chain']);
    rmSync(this.site.paths.lock, { force: true });
  }
}

/** Claims the data folder for one process and one profile. Throws `OperatorError`. */
function claimData({ options, paths, plan }: Site): void {
  const running = readJson<{ pid: number }>(paths.lock);
  if (running && isAlive(running.pid)) {
    const problem = `is in use by process ${running.pid}`;
    const advice = 'stop it, or give another --data';
    throw new OperatorError({ code: 'in-use', file: options.data, problem, advice });
  }
  const known = readJson<{ profiles: string }>(paths.identity);
  if (known && known.profiles !== plan.profilesHash) {
    const problem = 'was made with another profile';
    const advice = 'give the same --profiles, or another --data';
    throw new OperatorError({ code: 'another-profile', file: options.data, problem, advice });
  }
  writeJson(paths.lock, { pid: process.pid });
  writeJson(paths.identity, { profiles: plan.profilesHash, file: plan.profilesPath });
}
