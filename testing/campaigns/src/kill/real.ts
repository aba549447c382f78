import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@gridtokenx/testing-kit/until';
import type { Outcome } from '../campaign.js';
import { ChainView, type MeterView, type SlotView } from './chain-view.js';
import { compareMessages, judgeSlots, type Messages, readAcknowledged, readLedger, readSpool } from './evidence.js';
import { profileOf } from './profile.js';
import { type Kill, scheduleOf } from './schedule.js';
import { claimPorts, ROOT, System, sleep } from './system.js';

export const WINDOWS = 2;
const SPEED = 200;
/** Two minutes before the profile, its windows and the closing window. */
const LENGTH_MS = (120_000 + (WINDOWS + 1) * 900_000) / SPEED;
/** A start that neither settles nor ends by then hangs. */
const PATIENCE_MS = 150_000;
const SAMPLE_MS = 300;
const STARTS = 8;

interface Tally {
  kills: number;
  starts: number;
  samples: number;
}

/** Plays one seed: a whole system of real processes, killed at seeded moments until its windows are settled. */
class Run {
  readonly #seed: number;
  readonly #folder: string;
  readonly #ports: number;
  readonly #view: ChainView;
  readonly seen: SlotView[] = [];
  readonly tally: Tally = { kills: 0, starts: 0, samples: 0 };
  readonly log: string[] = [];
  #meters: MeterView[] = [];
  #system: System | null = null;

  constructor(seed: number, folder: string, ports: number) {
    this.#seed = seed;
    this.#folder = folder;
    this.#ports = ports;
    this.#view = new ChainView(`http://127.0.0.1:${ports + 1}`);
    writeFileSync(this.#path('profile.csv'), profileOf(seed, WINDOWS));
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async play(): Promise<string[]> {
    const { bringUp, running } = scheduleOf(this.#seed, LENGTH_MS);
    let left: readonly Kill[] = running;
    let early: readonly Kill[] = bringUp;
    for (let start = 0; start < STARTS; start++) {
      const system = await this.#start();
      if (early.length > 0) {
        await this.#killOnTime(system, early, Date.now());
        early = [];
      }
      const isUp = await this.#isUp(system);
      if (isUp) left = await this.#killOnTime(system, left, Date.now());
      if (!system.hasEnded) {
        await until(
          'the report',
          async () => {
            await this.#sample();
            return system.hasEnded || system.said(/^Report written/);
          },
          PATIENCE_MS,
        );
      }
      if (system.said(/^Report written/) && !system.hasEnded) return this.#judge(system);
      await system.ended;
      await system.gone();
      this.log.push(...system.lines.slice(-4));
    }
    return [`the windows were not settled in ${STARTS} starts`];
  }

  async #start(): Promise<System> {
    this.tally.starts++;
    const args = ['--ports', `${this.#ports}`, '--speed', `${SPEED}`, '--windows', `${WINDOWS}`];
    const files = ['--profiles', this.#path('profile.csv'), '--report', this.#path('report.json')];
    this.#system = await System.start(this.#path('data'), [...args, ...files]);
    return this.#system;
  }

  async #isUp(system: System): Promise<boolean> {
    await until('the bring-up', () => system.hasEnded || system.said(/Ctrl-C stops cleanly/), PATIENCE_MS);
    return !system.hasEnded;
  }

  /** Performs due kills; returns the kills that remain when this start ends. */
  async #killOnTime(system: System, kills: readonly Kill[], zeroMs: number): Promise<readonly Kill[]> {
    for (const [i, { afterMs, targets }] of kills.entries()) {
      while (Date.now() < zeroMs + afterMs && !system.hasEnded) {
        await this.#sample();
        await sleep(Math.min(SAMPLE_MS, Math.max(0, zeroMs + afterMs - Date.now())));
      }
      if (system.hasEnded) return kills.slice(i);
      const names = targets.flatMap((target) => (target === 'everything' ? this.#everything(system) : [target]));
      this.tally.kills += names.filter((name) => system.kill(name)).length;
      if (names.includes('launcher')) {
        await system.ended;
        // Later kills count from the next start on.
        return kills.slice(i + 1).map((kill) => ({ ...kill, afterMs: kill.afterMs - afterMs }));
      }
    }
    return [];
  }

  #everything(system: System): string[] {
    return ['launcher', ...Object.keys(system.processes())];
  }

  /** Samples the chain; returns false when the chain is away. */
  async #sample(): Promise<boolean> {
    try {
      if (this.#meters.length === 0) {
        const homes = readdirSync(this.#path('data/homes'));
        const ids = homes.map((home) => this.#meterOf(home));
        this.#meters = await this.#view.meters(ids);
      }
      this.seen.push(...(await this.#view.slots(this.#meters)));
      this.tally.samples++;
      return true;
    } catch {
      // The node is being killed, or has no meters yet: the next sample tries again.
      return false;
    }
  }

  #meterOf(home: string): string {
    const text = readFileSync(this.#path(`data/homes/${home}/enrolment.json`), 'utf8');
    return (JSON.parse(text) as { meter_id: string }[])[0]?.meter_id ?? '';
  }

  async #judge(system: System): Promise<string[]> {
    const homes = readdirSync(this.#path('data/homes'));
    for (const [i] of homes.entries()) await this.#drained(i);
    await this.#settled();
    const faults = [
      ...(await this.#tool('devnet/dist/verify-report.js', [this.#path('report.json'), this.#path('profile.csv')])),
      ...(await this.#tool('audit/dist/main.js', ['--rpc', `http://127.0.0.1:${this.#ports + 1}`])),
    ];
    await system.stop();
    const stored = readLedger(this.#path('data/oracle/ledger.sqlite'));
    faults.push(...stored.faults);
    const spools: Messages = new Map();
    const acknowledged = new Map<string, bigint>();
    for (const home of homes) {
      const spool = readSpool(this.#path(`data/homes/${home}/data/spool`));
      faults.push(...spool.faults);
      for (const [name, bytes] of spool.messages) spools.set(name, bytes);
      const acks = readAcknowledged(this.#path(`data/homes/${home}/data/state/acks.json`));
      for (const [meter, through] of acks) acknowledged.set(meter, through);
    }
    faults.push(
      ...compareMessages(stored.messages, spools, acknowledged),
      ...judgeSlots(this.seen, this.#meters, stored),
    );
    if (this.#meters.length !== homes.length) faults.push('no sample of the chain was taken');
    return faults;
  }

  /**
   * The last kill may follow the report: the chain has restarted, and everything that its snapshot lacked is on it
   * again.
   */
  async #settled(): Promise<void> {
    await until(
      'the chain is back with everything settled',
      async () => {
        try {
          const response = await fetch(`http://127.0.0.1:${this.#ports}/api/v1/state`);
          const { chain } = (await response.json()) as { chain: { pending: number } };
          return chain.pending === 0 && (await this.#sample());
        } catch {
          return false;
        }
      },
      PATIENCE_MS,
    );
  }

  /** Waits until everything that a gateway signed has been acknowledged. */
  async #drained(home: number): Promise<void> {
    await until(
      `gateway ${home + 1} has everything acknowledged`,
      async () => {
        try {
          const response = await fetch(`http://127.0.0.1:${this.#ports + 10 + home}/api/v1/status`);
          return ((await response.json()) as { spool: { depth: number } }).spool.depth === 0;
        } catch {
          return false;
        }
      },
      60_000,
    );
  }

  /** Runs one of the project's checks as a separate process; returns its findings. */
  #tool(script: string, args: readonly string[]): Promise<string[]> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [join(ROOT, 'tools', script), ...args]);
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
      });
      child.stderr.on('data', (chunk) => {
        text += chunk;
      });
      child.on('close', (code) => resolve(code === 0 ? [] : [`${script}: ${text.trim()}`]));
    });
  }

  /** Ends everything of this run, so that nothing outlives it. */
  async cleanUp(): Promise<void> {
    const system = this.#system;
    if (!system) return;
    for (const name of this.#everything(system)) system.kill(name);
    await system.gone();
  }

  lastWords(): string {
    return [...this.log, ...(this.#system?.lines.slice(-8) ?? [])].join('\n    ');
  }
}

/** Plays one seed with real processes. Keeps the folder after a fault. */
export async function runReal(seed: number): Promise<Outcome> {
  const range = await claimPorts();
  const folder = mkdtempSync(join(tmpdir(), `gtx-kill-${seed}-`));
  const run = new Run(seed, folder, range.ports);
  let faults: string[];
  try {
    faults = await run.play();
  } catch (error) {
    faults = [`${(error as Error).message}`];
  } finally {
    await run.cleanUp().catch(() => undefined);
    await range.release();
  }
  if (faults.length === 0) rmSync(folder, { recursive: true, force: true });
  else faults.push(`kept in ${folder}; the last lines:\n    ${run.lastWords()}`);
  const { kills, starts, samples } = run.tally;
  return { faults, figures: { runs: 1, kills, starts, samples, slots_seen: run.seen.length } };
}
