import { BASE_UNITS_PER_WH } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { writeJson } from '../files.js';
import { chainTotals } from './chain-totals.js';
import { Narrator } from './narrator.js';
import type { StartOptions } from './options.js';
import { makePlan } from './plan.js';
import { makeReport } from './report.js';
import { Session } from './session.js';
import { addresses } from './site.js';

const TICK_MS = 500;
/** Interval of the services' health checks, in ms. */
const HEALTH_EVERY_MS = 10_000;
/** Real time that a closing statement may take before one more closing window is added, in ms. */
const CLOSING_PATIENCE_MS = 15_000;

/** Clock, output and stop signal of a start. */
export interface Around {
  readonly clock: Clock;
  /** Aborts when everything has to stop. */
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
}

/** Reads every meter's totals. Throws when the chain is away. */
async function totalsOf({ connection, reported }: Session) {
  const totals = await chainTotals(
    connection,
    reported.map((home) => home.meterId),
  );
  return [...totals.values()];
}

/**
 * Returns the number of homes whose closing window is on chain with everything minted. Throws when the chain is away.
 */
async function settledHomes(session: Session): Promise<number> {
  return (await totalsOf(session)).filter(
    (at) => at.window >= session.simulated.closingWindow && at.mintedBaseUnits === at.exportWh * BASE_UNITS_PER_WH,
  ).length;
}

/**
 * Returns the number of requested profile windows that every home has settled on chain. Throws when the chain is away.
 */
async function settledWindows(session: Session): Promise<number> {
  const lowest = Math.min(...(await totalsOf(session)).map((at) => at.window));
  const { closingWindow, targetWindows } = session.simulated;
  return Math.min(targetWindows, Math.max(0, targetWindows - (closingWindow - 1 - lowest)));
}

/** Waits until the oracle has nothing more to report: it writes its last row a moment after the chain shows it. */
async function untilQuiet(narrator: Narrator, { clock }: Around): Promise<void> {
  for (let quiet = 0; quiet < 2; ) {
    await sleep(clock, TICK_MS);
    quiet = (await narrator.follow()) > 0 ? 0 : quiet + 1;
  }
}

/** Runs until the windows are settled; resolves with false when a stop signal arrives before. */
async function settle(session: Session, narrator: Narrator, around: Around): Promise<boolean> {
  const { clock, stop, say } = around;
  const { simulated } = session;
  let closedAtMs: number | null = null;
  let told = 0;
  while (!stop.aborted) {
    await sleep(clock, TICK_MS, stop);
    const lines = await narrator.follow();
    try {
      const done = lines > 0 ? await settledWindows(session) : told;
      if (done > told) say(`${done} of ${simulated.targetWindows} windows settled.`);
      told = Math.max(told, done);
      if (!simulated.closed) {
        closedAtMs = null;
        continue;
      }
      closedAtMs ??= clock.monotonicMs();
      if ((await settledHomes(session)) === session.reported.length) {
        await untilQuiet(narrator, around);
        return true;
      }
      if (clock.monotonicMs() - closedAtMs > CLOSING_PATIENCE_MS) {
        say('A home has no attested closing statement yet: one more closing window.');
        simulated.extendClosing();
        closedAtMs = null;
      }
    } catch {
      // The chain is away: its process restarts, and the next round checks again.
    }
  }
  return false;
}

/** Continues to print settlements until the stop signal. */
async function keepRunning(narrator: Narrator, { clock, stop }: Around): Promise<void> {
  while (!stop.aborted) {
    await sleep(clock, TICK_MS, stop);
    await narrator.follow();
  }
}

/** Repeats a task at an interval until the stop signal. */
function every(ms: number, { clock, stop }: Around, task: () => void): void {
  const cancel = clock.after(ms, () => {
    task();
    every(ms, { clock, stop, say: () => {} }, task);
  });
  stop.addEventListener('abort', cancel, { once: true });
}

async function writeReport(session: Session, options: StartOptions, say: Around['say']): Promise<void> {
  if (!options.report) return;
  const report = await makeReport({
    connection: session.connection,
    api: session.api,
    homes: session.reported,
    mqtt: session.site.mqttUrl,
    speed: options.speed,
    windows: session.simulated.targetWindows,
  });
  writeJson(options.report, report);
  say(`Report written to ${options.report}`);
}

function announce({ site, simulated }: Session, options: StartOptions, say: Around['say']): void {
  const { plan, homes } = site;
  const label = new Date(simulated.now() + plan.offsetMinutes * 60_000).toISOString().slice(0, 16).replace('T', ' ');
  const pace = `runs ${options.speed} times as fast as real time`;
  say(`\n${homes.length} homes run; the simulated clock says ${label} and ${pace}.`);
  if (options.windows === null) {
    say(
      `The profile has ${plan.windows} windows; at its end the meters stop at zero power and everything keeps ` +
        'running. Simulated time that reaches the real time goes on at speed 1.',
    );
  } else {
    say(`${simulated.targetWindows} windows of 15 minutes are settled, then one closing window at zero power.`);
  }
  say(`${addresses(site).join('\n')}\nCtrl-C stops cleanly; the next start goes on where this one stopped.\n`);
}

/**
 * Settles the requested windows, and continues unless `--exit` is set. Returns false when it had to exit and did not
 * settle.
 */
async function playOn(session: Session, options: StartOptions, around: Around): Promise<boolean> {
  const { say } = around;
  const names = new Map(session.reported.map((home, i) => [home.meterId, `home ${i + 1}`]));
  const narrator = new Narrator(session.api, names, session.site.plan.offsetMinutes, say);
  await narrator.skipOld();
  session.simulated.start();
  // Runs beside the loops below: they wait for others, and time may not.
  every(TICK_MS, around, () => session.keepTime());
  every(HEALTH_EVERY_MS, around, () => void session.services.poll());
  announce(session, options, say);
  const isSettled = await settle(session, narrator, around);
  if (isSettled) say(`All ${session.simulated.targetWindows} windows are settled and minted.`);
  if (isSettled) await writeReport(session, options, say);
  if (options.exit) return isSettled;
  await keepRunning(narrator, around);
  return true;
}

/**
 * Returns true once everything runs; false when a stop signal ended the bring-up: a Ctrl-C also ends the processes that
 * it starts. Rethrows every other error.
 */
export async function isBroughtUp(session: { bringUp(): Promise<void> }, { stop }: Pick<Around, 'stop'>) {
  try {
    await session.bringUp();
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}

/**
 * Runs one start from its bring-up to its stop. Returns false when it had to exit and did not settle. Rejects with
 * `OperatorError`, or with the disk's error.
 */
export async function play(options: StartOptions, around: Around): Promise<boolean> {
  const { clock, stop, say } = around;
  const session = await Session.open(options, makePlan(options, clock.nowMs()), { clock, say });
  const onStop = () => say('Stopping ... (Ctrl-C again leaves at once)');
  stop.addEventListener('abort', onStop, { once: true });
  try {
    if (await isBroughtUp(session, around)) return await playOn(session, options, around);
    say('Stopped before everything was up; the next start does the rest.');
    return !options.exit;
  } finally {
    await session.stop();
    say('Stopped.');
  }
}
