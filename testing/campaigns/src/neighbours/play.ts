import { asWindow, concatBytes, type MeterId, windowEndAtMs, windowStartAtMs } from '@gridtokenx/protocol';
import { KeyJournal, type Signed } from '@gridtokenx/testing-kit/key-log';
import { at, Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { MESSAGES_PER_DAY } from '#oracle/domain/intake/quota.js';
import { addFigures, type Outcome } from '../campaign.js';
import { Begins } from './begins.js';
import { Bench, work } from './bench.js';
import { type MintTrouble, ModelChain } from './chain.js';
import { type Scene, TRICKS } from './hostile.js';
import {
  HOMES,
  type Home,
  INITIAL_WINDOW,
  makeHomes,
  NETWORK,
  ODD,
  realTimeOf,
  SPEED,
  WINDOW_REAL_MS,
} from './world.js';

/** Maximum number of windows that the neighbours may be behind. */
const MAX_BEHIND = 2;
/** Maximum scan steps of one event: the messages of a turn, and one commit's budget with the starts of its scans. */
const MAX_STEPS_OF_EVENT = 12_000;
/**
 * Maximum scan steps for each received message, on average over a seed. Excludes those of a seed with few messages, and
 * the steps from a statement to each late or waiting message.
 */
const MAX_STEPS_OF_MESSAGE = 20;
const MAX_STEPS_OF_SEED = 12_000;
const MAX_LINES_OF_WINDOW = 40;
/** Maximum number of landed transactions for each window and late window. */
const MAX_TRANSACTIONS_OF_WINDOW = 30;
/** Initial allowance of the odd home: small, so that a seed can use it up. */
const ALLOWANCE = 1_200;
const PACKET = 200;
/** After the last window, real ms. */
const END_MS = 12_000;

/** One seed: nine honest homes, and one home that does anything. */
class Play {
  readonly clock = new VirtualClock({ startAtMs: 0 });
  readonly random: Random;
  readonly homes: Home[];
  readonly chain: ModelChain;
  readonly bench: Bench;
  readonly windows: number;
  readonly trouble: MintTrouble;
  readonly faults: string[] = [];
  readonly figures: Record<string, number> = {};
  /** By home: the energy that it exported in each window. */
  readonly #truth = new Map<number, number[]>();
  readonly #readings = new Map<number, number>();
  readonly #begins = new Begins();
  #messages = 0;
  #behind = 0;

  constructor(seed: number) {
    this.random = new Random(seed, 'neighbours');
    const { random } = this;
    const pages = random.chance(0.3) ? 2 : 1;
    this.homes = makeHomes(pages);
    this.windows = random.int(4, 6);
    this.trouble = random.chance(0.5) ? 'none' : random.pick(['left', 'wallet fails', 'page fails'] as const);
    this.chain = new ModelChain(this.clock, random, this.homes, at(this.homes, ODD), pages, this.trouble);
    this.bench = new Bench(this.clock, random, this.homes, this.chain);
  }

  get endAtMs(): number {
    return this.windows * WINDOW_REAL_MS + END_MS;
  }

  send(home: Home, messages: readonly Signed[]): void {
    for (let i = 0; i < messages.length; i += PACKET) {
      const part = messages.slice(i, i + PACKET);
      this.#messages += part.length;
      this.#receive(home, home.record.meterId, concatBytes(...part.map(({ message }) => message)));
    }
  }

  #sendOdd(home: Home, messages: readonly Signed[]): void {
    for (let i = 0; i < messages.length; i += PACKET) {
      const packet = messages.slice(i, i + PACKET).map(({ payload }) => payload);
      this.#begins.note(packet, this.bench.realMs, realTimeOf);
    }
    this.send(home, messages);
  }

  #receive({ gateway }: Home, meter: MeterId, bytes: Uint8Array): void {
    this.bench.intake.receive({ gateway: gateway.slice(), meter, stream: 'backfill', bytes });
  }

  /** A neighbour: three readings and a statement for each window, a little late. */
  playNeighbour(home: Home): void {
    const { random, clock } = this;
    this.chain.place(home, INITIAL_WINDOW - 1);
    const { importBaselineWh, exportBaselineWh } = home.record;
    const state = {
      timeMs: windowStartAtMs(INITIAL_WINDOW),
      importWh: importBaselineWh,
      exportWh: exportBaselineWh,
    };
    const log = new KeyJournal(home.record, home.signer, NETWORK, state);
    const atReading = (ms: number, call: () => void) =>
      clock.after(Math.max(0, realTimeOf(ms) - this.bench.realMs), call);
    for (let window = INITIAL_WINDOW; window < INITIAL_WINDOW + this.windows; window++) {
      for (const part of [0.32, 0.65, 0.97]) {
        const timeMs = windowStartAtMs(asWindow(window)) + Math.floor(900_000 * part);
        atReading(timeMs + random.int(0, 6_000), () => this.#readOnce(home, log, timeMs));
      }
      const lateMs = random.int(6_000, random.chance(0.1) ? 150_000 : 60_000);
      atReading(windowEndAtMs(asWindow(window)) + lateMs, () => {
        this.send(home, [log.statement(window)]);
        const before = this.#truth.get(home.index) ?? [];
        const sum = before.reduce((total, wh) => total + wh, 0);
        this.#truth.set(home.index, [...before, Number(log.state.exportWh - exportBaselineWh) - sum]);
      });
    }
  }

  #readOnce(home: Home, log: KeyJournal, timeMs: number): void {
    log.state.timeMs = timeMs;
    log.state.exportWh += BigInt(this.random.int(0, 700));
    this.send(home, [log.reading()]);
    this.#readings.set(home.index, (this.#readings.get(home.index) ?? 0) + 1);
  }

  /** The odd home: an unlucky or hostile home does several things, each at some time. */
  playOdd(home: Home): void {
    const { random, clock } = this;
    const behind = random.chance(0.4) ? random.int(1, 500) : 0;
    this.chain.place(home, INITIAL_WINDOW - 1 - behind);
    const { importBaselineWh, exportBaselineWh } = home.record;
    const start = INITIAL_WINDOW - behind;
    const state = { timeMs: windowStartAtMs(asWindow(start)), importWh: importBaselineWh, exportWh: exportBaselineWh };
    const log = new KeyJournal(home.record, home.signer, NETWORK, state);
    const scene: Scene = {
      ...{ random, home, log },
      neighbours: this.homes.filter((other) => other !== home),
      nowMs: () => this.bench.realMs,
      endAtMs: this.bench.realMs + this.endAtMs - END_MS,
      send: (messages) => this.#sendOdd(home, messages),
      sendRaw: (bytes, meter) => {
        this.#messages++;
        this.#receive(home, meter, bytes);
      },
      later: (ms, call) => void clock.after(ms, call),
    };
    this.bench.allow(home, ALLOWANCE);
    this.#sendOdd(home, [log.enrolment(new Uint8Array(32).fill(200))]);
    const count = random.int(1, 3);
    for (let i = 0; i < count; i++) {
      const name = random.pick(Object.keys(TRICKS));
      addFigures(this.figures, { [`trick: ${name}`]: 1 });
      const when = random.int(WINDOW_REAL_MS, this.endAtMs - END_MS - WINDOW_REAL_MS);
      clock.after(when, () => TRICKS[name]?.(scene));
    }
  }

  /** Checks the neighbours' progress right before each window ends, when all messages are in. */
  watch(): void {
    for (let i = 1; i <= this.windows; i++) {
      for (const part of [0.35, 0.65, 0.98]) {
        this.clock.after((i - 1 + part) * WINDOW_REAL_MS, () => this.#look(INITIAL_WINDOW + i - 2));
      }
    }
  }

  #look(closed: number): void {
    for (const home of this.homes) {
      if (home.index === ODD) continue;
      const behind = closed - this.chain.slotOf(home).window;
      this.#behind = Math.max(this.#behind, behind);
      if (behind > MAX_BEHIND)
        this.faults.push(`home ${home.index} is ${behind} windows behind in window ${closed + 1}`);
    }
  }

  /** Checks the steps of each event by their difference between two events. */
  async run(): Promise<void> {
    const { bench, clock } = this;
    bench.start();
    let before = work.steps;
    let most = 0;
    const began = work.steps;
    const every = () => {
      most = Math.max(most, work.steps - before);
      before = work.steps;
    };
    const done = new Promise<void>((resolve) => {
      clock.after(this.endAtMs, () => resolve());
    });
    const watchSteps = () => {
      every();
      if (clock.nowMs() < this.endAtMs) clock.after(100, watchSteps);
    };
    clock.after(100, watchSteps);
    await clock.run(done);
    await clock.run(bench.stop());
    every();
    const steps = work.steps - began;
    addFigures(this.figures, { messages: this.#messages, 'scan steps': steps, 'lines logged': bench.lines.length });
    addFigures(this.figures, { transactions: this.chain.landed, windows: this.windows * (HOMES - 1) });
    if (most > MAX_STEPS_OF_EVENT) this.faults.push(`${most} scan steps within 100 ms`);
    const again = this.#begins.steps(bench.realMs);
    addFigures(this.figures, { 'scan steps that late and waiting messages need': again });
    const mostSteps = MAX_STEPS_OF_SEED + MAX_STEPS_OF_MESSAGE * this.#messages + again;
    if (steps > mostSteps) this.faults.push(`${steps} scan steps for ${this.#messages} messages`);
    addFigures(this.figures, { [`at most ${this.#behind} windows behind`]: 1 });
  }

  judge(): void {
    const { bench, faults } = this;
    for (const home of this.homes) if (home.index !== ODD) this.#judgeNeighbour(home);
    if (bench.lines.length > MAX_LINES_OF_WINDOW * this.windows) faults.push(`${bench.lines.length} lines logged`);
    const mostSent = MAX_TRANSACTIONS_OF_WINDOW * this.windows;
    if (this.chain.landed > mostSent) faults.push(`${this.chain.landed} transactions`);
    if (bench.projector.problem) faults.push(bench.projector.problem);
    const stored = bench.stored(at(this.homes, ODD));
    const dayShare = (SPEED * this.endAtMs) / 86_400_000;
    const most = ALLOWANCE + Math.ceil(MESSAGES_PER_DAY * dayShare);
    if (stored > most) faults.push(`${stored} messages of one key are stored, its allowance is ${most}`);
  }

  /**
   * Checks a neighbour: each window once, in order, with exactly its energy; all minted, all readings in the time
   * series.
   */
  #judgeNeighbour(home: Home): void {
    const { bench, faults } = this;
    const truth = this.#truth.get(home.index) ?? [];
    const wanted = truth.map((exportWh, i) => ({ window: INITIAL_WINDOW + i, exportWh }));
    const found = bench.attested(home);
    const shown = (list: readonly { window: number; exportWh: number }[]) =>
      list.map(({ window, exportWh }) => `${window - INITIAL_WINDOW}: ${exportWh}`).join(', ');
    if (shown(found) !== shown(wanted))
      faults.push(`home ${home.index} has ${shown(found)} instead of ${shown(wanted)}`);
    const total = truth.reduce((sum, wh) => sum + wh, 0);
    const { minted } = this.chain.slotOf(home);
    const isHeld = this.trouble === 'page fails' && home.record.page === at(this.homes, ODD).record.page;
    if (!isHeld && Number(minted) !== total) faults.push(`home ${home.index}: ${minted} Wh minted of ${total}`);
    const readings = this.#readings.get(home.index) ?? 0;
    const shownReadings = bench.series.count(home.record.meterId);
    if (shownReadings !== readings)
      faults.push(`home ${home.index}: ${shownReadings} of ${readings} readings in the series`);
  }
}

/** Plays one seed in the event simulation. */
export async function runNeighboursSeed(seed: number): Promise<Outcome> {
  const play = new Play(seed);
  try {
    for (const home of play.homes) {
      if (home.index === ODD) play.playOdd(home);
      else play.playNeighbour(home);
    }
    play.watch();
    await play.run();
    play.judge();
    return { faults: play.faults, figures: play.figures };
  } finally {
    play.bench.close();
  }
}
