import { expectedTotals, type Profile } from '@gridtokenx/simulators';
import { ChainView, type MeterView, type SlotView } from '../../kill/chain-view.js';
import { sleep } from '../../kill/system.js';
import { INITIAL_WINDOW } from './cast.js';
import { MAX_FOREIGN_SHARE, Share, waitedMs } from './share.js';
import type { Stack } from './stack.js';

const CHAIN_EVERY_MS = 300;
const API_EVERY_MS = 100;
const PROCESS_EVERY_MS = 250;
const API_TIMEOUT_MS = 5_000;

/** One rise of one meter on chain, from the oracle's API. */
interface Row {
  readonly id: number;
  readonly meter_id: string;
  readonly window: number;
  readonly export_wh: string;
  readonly import_wh: string;
  readonly undone: boolean;
}

/** The duration of an answer, and the part of it in which the oracle waited for a CPU. */
interface Took {
  readonly ms: number;
  readonly waited: number;
}

/** A neighbour: its meter, its place on chain, and its required energy. */
export interface Neighbour {
  readonly home: number;
  readonly view: MeterView;
  readonly profile: Profile;
}

export const MEASURED = ['broker', 'oracle'] as const;

/** Returns the nearest-rank percentile; 0 when there is no value. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
}

/** Observes a running stack from outside, from `begin` to `stop`. */
export class Watch {
  readonly #stack: Stack;
  readonly #neighbours: readonly Neighbour[];
  readonly #chain: ChainView;
  readonly #loops: Promise<void>[] = [];
  readonly #wrong = new Set<string>();
  readonly #newest = new Map<string, number>();
  readonly #beganAtMs = Date.now();
  readonly #logsAtFirst: number;
  #after = 0;
  #isStopping = false;
  /** Maximum number of closed windows that a neighbour lacked on chain, and its name. */
  behind = 0;
  slowest = '';
  chainSamples = 0;
  rises = 0;
  readonly #mayLump: boolean;
  readonly #share: Share;
  readonly #api: Took[] = [];
  readonly #time: Took[] = [];
  /** Highest resident memory seen, by process. */
  readonly memory: Record<string, number> = {};
  #logs = 0;
  #logsSeen: number;

  /** `mayLump`: a rise may cover several windows, because a service is killed meanwhile and statements arrive late. */
  constructor(stack: Stack, neighbours: readonly Neighbour[], mayLump = false) {
    this.#mayLump = mayLump;
    this.#stack = stack;
    this.#neighbours = neighbours;
    this.#chain = new ChainView(stack.urls.rpc);
    this.#logsAtFirst = stack.bytesIn('logs');
    this.#logsSeen = this.#logsAtFirst;
    this.#share = new Share([process.pid, ...stack.pids()]);
  }

  /** CPU time of attackers, in milliseconds. */
  attackersMs = 0;
  /** Part of the machine that other processes used, from 0 to 1. */
  foreign = 0;

  /**
   * Returns the durations of answers in milliseconds; a failed answer counts as the time-out. While other processes use
   * part of the machine, excludes the time in which the oracle waited for a CPU. Those processes lengthen that time; no
   * attack does.
   */
  took(kind: 'API' | 'time'): number[] {
    const isShared = this.foreign > MAX_FOREIGN_SHARE;
    return (kind === 'API' ? this.#api : this.#time).map(({ ms, waited }) =>
      isShared ? Math.max(0, ms - waited) : ms,
    );
  }

  begin(): void {
    this.#loops.push(
      this.#every(CHAIN_EVERY_MS, async () => {
        await this.#lookAtChain();
        await this.#lookAtRises();
      }),
      this.#every(API_EVERY_MS, () => this.#ask('/api/v1/state')),
      this.#every(API_EVERY_MS, () => this.#askTime()),
      this.#every(PROCESS_EVERY_MS, async () => this.#lookAtProcesses()),
    );
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#loops);
    this.foreign = this.#share.foreign(this.attackersMs);
  }

  /** Returns the faults of the rises, in words. */
  get faults(): string[] {
    return [...this.#wrong];
  }

  /** Returns the bytes of all logs a minute; a shorter time counts as one minute. */
  get logBytesPerMinute(): number {
    return this.#logs / Math.max(1, (Date.now() - this.#beganAtMs) / 60_000);
  }

  /**
   * Returns the present number of windows behind, and true when everything due is minted; null while the chain is away.
   */
  async state(): Promise<{ behind: number; isMinted: boolean } | null> {
    const closed = this.#stack.closedWindow();
    const slots = await this.#slots();
    if (!slots) return null;
    const behind = Math.max(...slots.map(({ window }) => closed - window));
    return { behind, isMinted: slots.every(({ mintedWh, exportWh }) => mintedWh === exportWh) };
  }

  async #every(ms: number, look: () => Promise<void>): Promise<void> {
    while (!this.#isStopping) {
      const began = Date.now();
      await look();
      await sleep(Math.max(10, ms - (Date.now() - began)));
    }
  }

  #slots(): Promise<SlotView[] | null> {
    return this.#chain.slots(this.#neighbours.map(({ view }) => view)).catch(() => null);
  }

  async #lookAtChain(): Promise<void> {
    const closed = this.#stack.closedWindow();
    const slots = await this.#slots();
    if (!slots) return;
    this.chainSamples++;
    for (const [i, { window, exportWh, mintedWh }] of slots.entries()) {
      const name = `home ${this.#neighbours[i]?.home}`;
      if (closed - window > this.behind) {
        this.behind = closed - window;
        this.slowest = name;
      }
      if (mintedWh > exportWh) this.#wrong.add(`${name}: minted ${mintedWh} Wh of ${exportWh}`);
    }
  }

  /** Checks every rise on chain since the last check: by one window, to exactly the profile's energy. */
  async #lookAtRises(): Promise<void> {
    for (;;) {
      const rows = await this.#rows();
      for (const row of rows) {
        this.#after = Math.max(this.#after, row.id);
        const neighbour = this.#neighbours.find(({ view }) => view.meterId === row.meter_id);
        if (neighbour && !row.undone) this.#judgeRise(neighbour, row);
      }
      if (rows.length === 0) return;
    }
  }

  async #rows(): Promise<Row[]> {
    try {
      const response = await fetch(`${this.#stack.urls.page}/api/v1/settlements?after=${this.#after}`, {
        signal: AbortSignal.timeout(API_TIMEOUT_MS),
      });
      return response.ok ? ((await response.json()) as Row[]) : [];
    } catch {
      return [];
    }
  }

  #judgeRise({ home, profile }: Neighbour, { meter_id, window, export_wh, import_wh }: Row): void {
    // Before the profile the homes were away: their first rise covers that time, without energy.
    if (window < INITIAL_WINDOW) this.#newest.set(meter_id, INITIAL_WINDOW - 1);
    if (window < INITIAL_WINDOW) return;
    const before = this.#newest.get(meter_id);
    if (before !== undefined && window <= before) return;
    this.#newest.set(meter_id, window);
    this.rises++;
    if (before !== undefined && window !== before + 1 && !this.#mayLump)
      this.#wrong.add(`home ${home}: window ${window - INITIAL_WINDOW} follows ${before - INITIAL_WINDOW} in one rise`);
    const last = before ?? window - 1;
    const [until, from] = [window, last].map((one) => expectedTotals(profile, one - INITIAL_WINDOW + 1));
    if (!until || !from) return;
    const [exported, imported] = [until.exportWh - from.exportWh, until.importWh - from.importWh];
    if (BigInt(export_wh) !== exported || BigInt(import_wh) !== imported)
      this.#wrong.add(
        `home ${home}, window ${window - INITIAL_WINDOW}: a rise by ${import_wh}/${export_wh} Wh on chain, ` +
          `${imported}/${exported} in the profile`,
      );
  }

  async #ask(path: string): Promise<void> {
    this.#api.push(await this.#timed(`${this.#stack.urls.page}${path}`, {}));
  }
  async #askTime(): Promise<void> {
    const request = { method: 'POST', body: new Uint8Array(16) };
    this.#time.push(await this.#timed(`${this.#stack.urls.service}/time`, request));
  }

  async #timed(url: string, init: RequestInit): Promise<Took> {
    const oracle = this.#stack.pids('oracle')[0] ?? 0;
    const before = waitedMs(oracle);
    const ms = await timed(url, init);
    return { ms, waited: ms >= API_TIMEOUT_MS ? 0 : waitedMs(oracle) - before };
  }

  #lookAtProcesses(): void {
    for (const name of MEASURED) {
      this.memory[name] = Math.max(this.memory[name] ?? 0, this.#stack.memory(name) ?? 0);
    }
    const bytes = this.#stack.bytesIn('logs');
    // Bytes that a rotation removes were written all the same.
    this.#logs += Math.max(0, bytes - this.#logsSeen);
    this.#logsSeen = bytes;
  }
}

/** Returns the duration of an answer, on its own connection; the time-out when none arrived. */
async function timed(url: string, init: RequestInit): Promise<number> {
  const began = performance.now();
  try {
    const signal = AbortSignal.timeout(API_TIMEOUT_MS);
    const response = await fetch(url, { ...init, headers: { connection: 'close' }, signal });
    await response.arrayBuffer();
    return response.ok ? performance.now() - began : API_TIMEOUT_MS;
  } catch {
    return API_TIMEOUT_MS;
  }
}
