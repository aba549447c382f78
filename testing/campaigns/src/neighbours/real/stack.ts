import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import { until } from '@gridtokenx/testing-kit/until';
import { claimPorts, System } from '../../kill/system.js';
import { HOMES, NEIGHBOURS, PORT_RANGES, SPEED, WINDOW_MS } from './cast.js';
import { copyTemplate } from './template.js';

const PATIENCE_MS = 150_000;

/** One start of everything: chain, broker, oracle, meters and a gateway for each home. */
export class Stack {
  readonly folder: string;
  readonly ports: number;
  readonly #release: () => Promise<void>;
  #system: System | null = null;
  /** Homes that turned hostile here, by number. */
  readonly spent = new Set<number>();

  private constructor(folder: string, ports: number, release: () => Promise<void>) {
    this.folder = folder;
    this.ports = ports;
    this.#release = release;
  }

  /** Starts everything; freezes the homes that will turn hostile before they send anything. */
  static async start(name: string, speed = SPEED): Promise<Stack> {
    const range = await claimPorts(PORT_RANGES);
    const folder = mkdtempSync(join(tmpdir(), `gtx-${name}-`));
    const stack = new Stack(folder, range.ports, range.release);
    try {
      await copyTemplate(folder, range.ports);
      const args = ['--ports', `${range.ports}`, '--speed', `${speed}`, '--profiles', join(folder, 'profile.csv')];
      const system = await System.start(stack.data, args);
      stack.#system = system;
      await until('the start', () => system.hasEnded || system.said(/Ctrl-C stops cleanly/), PATIENCE_MS);
      if (system.hasEnded) throw new Error(`the start ended:\n${system.lines.slice(-8).join('\n')}`);
      // A frozen process equals its home's broken gateway: present, and silent.
      for (let home = NEIGHBOURS + 1; home <= HOMES; home++) process.kill(stack.pid(`gateway-${home}`), 'SIGSTOP');
      return stack;
    } catch (error) {
      await stack.end();
      throw error;
    }
  }

  get data(): string {
    return join(this.folder, 'data');
  }
  get lines(): readonly string[] {
    return this.#system?.lines ?? [];
  }
  get hasEnded(): boolean {
    return this.#system?.hasEnded ?? true;
  }
  get urls() {
    const at = (scheme: string, offset: number) => `${scheme}://127.0.0.1:${this.ports + offset}`;
    return { page: at('http', 0), rpc: at('http', 1), mqtt: at('mqtt', 3), service: at('http', 7) };
  }

  /** Returns a process id by name; throws when the process is not running. */
  pid(name: string): number {
    const pid = this.#system?.processes()[name];
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  /** Returns process ids: of one process by its name, or of all. */
  pids(name?: string): number[] {
    const processes = this.#system?.processes() ?? {};
    return Object.keys(processes).flatMap((key) => (name === undefined || key === name ? (processes[key] ?? []) : []));
  }

  /** Kills a process with -9; returns false when it is not running. */
  kill(name: string): boolean {
    return this.#system?.kill(name) ?? false;
  }

  /** Returns the present simulated time, ms. */
  now(): number {
    return simulatedNow(parseSimulatedClock(readFileSync(join(this.data, 'clock.json'), 'utf8')), Date.now());
  }

  /** Returns the newest closed window. */
  closedWindow(): number {
    return Math.floor(this.now() / WINDOW_MS) - 1;
  }

  /** Returns the resident memory of a process in bytes; null when it is not running. */
  memory(name: string): number | null {
    try {
      const status = readFileSync(`/proc/${this.pid(name)}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return null;
    }
  }

  /** Returns the bytes of all files directly in a folder of the data. */
  bytesIn(name: string): number {
    const folder = join(this.data, name);
    const sizes = readdirSync(folder).map((file) => statSync(join(folder, file), { throwIfNoEntry: false }));
    return sizes.reduce((sum, stat) => sum + (stat?.isFile() ? stat.size : 0), 0);
  }

  /** Ends everything. `keep`: keeps its folder. */
  async end(keep = false): Promise<void> {
    const system = this.#system;
    if (system) {
      const names = Object.keys(system.processes());
      system.kill('launcher');
      for (const name of names) system.kill(name);
      await system.gone().catch(() => undefined);
    }
    await this.#release();
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
