import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Campaign } from '../campaign.js';
import type { Options } from './options.js';
import { type Finished, Pool } from './pool.js';
import { CampaignState, fingerprint } from './state.js';

export interface Environment {
  /** The project's folder, which contains `.campaigns`. */
  readonly root: string;
  readonly say: (line: string) => void;
  /** Calls back when the user wants to stop. */
  readonly onStop: (stop: () => void) => void;
}

/** Number of failing seeds after which a run stops. */
const TOLD_SEEDS = 10;
const PROGRESS_MS = 5_000;
const WORKER = join(dirname(fileURLToPath(import.meta.url)), 'worker.js');

/**
 * Returns the fingerprint of the code that a campaign's seeds depend on, including the dependencies' versions. Throws
 * where a part is missing.
 */
export function codeOf(root: string, campaign: Campaign): string {
  return fingerprint(root, ['package-lock.json', ...campaign.code]);
}

function workersOf(campaign: Campaign, options: Options): number {
  return options.workers ?? campaign.workers ?? availableParallelism();
}

function* seedsFrom(first: number, count: number, skip: (seed: number) => boolean): Generator<number> {
  for (let seed = first; seed < first + count; seed++) if (!skip(seed)) yield seed;
}

/** Runs seeds until all passed; returns the process's exit code. */
export async function runCampaign(campaign: Campaign, options: Options, around: Environment): Promise<number> {
  const { say } = around;
  const file = join(around.root, '.campaigns', `${campaign.name}.json`);
  if (options.fresh) rmSync(file, { force: true });
  const code = codeOf(around.root, campaign);
  const state = new CampaignState(file, code);
  const count = options.seeds ?? campaign.seeds;
  const wanted = [...seedsFrom(options.seed, count, (seed) => state.passed.has(seed))];
  say(`${campaign.name}: ${campaign.about}`);
  if (state.isRenewed) say('The code has changed since the last run: all seeds are run again.');
  if (wanted.length < count) say(`${count - wanted.length} of ${count} seeds passed before; the rest follows.`);
  const failed: Finished[] = [];
  const began = Date.now();
  const busyBefore = state.busyMs;
  let done = 0;
  let stopped = '';
  const stop = (why: string) => {
    stopped ||= why;
    pool.stop();
  };
  const checkCode = () => {
    if (codeOf(around.root, campaign) !== code) stop('the code was changed meanwhile');
  };
  const pool: Pool = new Pool({
    program: WORKER,
    args: [campaign.name],
    workers: Math.min(workersOf(campaign, options), Math.max(1, wanted.length)),
    secondsPerSeed: campaign.secondsPerSeed,
    seedsPerProcess: campaign.seedsPerProcess,
    onLoaded: checkCode,
    seeds: wanted.values(),
    onFinished: (finished) => {
      done++;
      const { seed, outcome } = finished;
      if (outcome.faults.length === 0) state.pass(seed, outcome.figures);
      else {
        failed.push(finished);
        tellFailure(campaign, finished, say);
        if (failed.length >= TOLD_SEEDS) pool.stop();
      }
    },
  });
  around.onStop(() => stop('stopped'));
  const save = () => {
    state.busyMs = busyBefore + Date.now() - began;
    state.save();
  };
  const progress = setInterval(() => {
    save();
    const perSecond = done / ((Date.now() - began) / 1_000);
    const left = perSecond > 0 ? `${Math.ceil((wanted.length - done) / perSecond / 60)} min left` : '';
    say(
      `${count - wanted.length + done} of ${count} seeds, ${failed.length} failed, ${perSecond.toFixed(1)} a second, ${left}`,
    );
    if (Date.now() - began > options.minutes * 60_000) stop(`not finished within ${options.minutes} minutes`);
  }, PROGRESS_MS);
  await pool.run();
  clearInterval(progress);
  if (!stopped && campaign.seedsPerProcess === 1) checkCode();
  save();
  const left = [...seedsFrom(options.seed, count, (seed) => state.passed.has(seed))].length - failed.length;
  return conclude(campaign, state, { left, failed, stopped: failed.length < TOLD_SEEDS ? stopped : '', say });
}

function tellFailure(campaign: Campaign, { seed, outcome }: Finished, say: (line: string) => void): void {
  say(`seed ${seed} FAILED; again: npm run campaign -- ${campaign.name} --seeds 1 --seed ${seed}`);
  for (const fault of outcome.faults.slice(0, 8)) say(`    ${fault}`);
}

function conclude(
  campaign: Campaign,
  state: CampaignState,
  end: { left: number; failed: readonly Finished[]; stopped: string; say: (line: string) => void },
): number {
  const { say, failed, stopped, left } = end;
  say('');
  for (const [name, value] of Object.entries(state.figures).sort(([a], [b]) => (a < b ? -1 : 1))) {
    say(`  ${name.padEnd(44)}${value.toLocaleString('en').padStart(14)}`);
  }
  const missing = stopped || failed.length > 0 || left > 0 ? [] : campaign.review(state.figures, state.passed.count);
  for (const what of missing) say(`MISSING ${what}`);
  say('');
  const minutes = (state.busyMs / 60_000).toFixed(1);
  say(`${campaign.name}: ${state.passed.count} seeds passed in ${minutes} min, ${failed.length} failed`);
  if (left > 0) say(`not finished: ${left} seeds`);
  if (stopped) say(`${stopped}: the same command continues from here`);
  if (failed.length > 0) say(`failed: ${failed.map(({ seed }) => seed).join(', ')}`);
  return failed.length === 0 && missing.length === 0 && !stopped && left === 0 ? 0 : 1;
}

/** Runs seeds with a broken rule; returns exit code 0 when the campaign notices, 1 when it does not. */
export async function runControl(campaign: Campaign, options: Options, around: Environment): Promise<number> {
  const { say } = around;
  const name = options.control ?? '';
  const control = Object.hasOwn(campaign.controls, name) ? campaign.controls[name] : undefined;
  if (!control) {
    say(`no control "${name}" of ${campaign.name}: there is ${Object.keys(campaign.controls).join(', ')}`);
    return 2;
  }
  say(`${campaign.name}, control ${name}: ${control.about}`);
  const caught: Finished[] = [];
  let done = 0;
  const count = options.seeds ?? control.seeds;
  const pool = new Pool({
    program: WORKER,
    args: [campaign.name, name],
    workers: workersOf(campaign, options),
    secondsPerSeed: campaign.secondsPerSeed,
    seedsPerProcess: campaign.seedsPerProcess,
    seeds: seedsFrom(options.seed, count, () => false),
    onFinished: (finished) => {
      done++;
      if (finished.outcome.faults.length === 0) return;
      caught.push(finished);
      pool.stop();
    },
  });
  around.onStop(() => pool.stop());
  await pool.run();
  const first = caught[0];
  if (!first) {
    say(`NOT noticed in ${done} seeds`);
    return 1;
  }
  say(`noticed by seed ${first.seed}, after ${done} seeds:`);
  for (const fault of first.outcome.faults.slice(0, 4)) say(`    ${fault}`);
  return 0;
}
