import { BASE_UNITS_PER_WH } from '@gridtokenx/protocol';
import { writeJson } from '../files.js';
import { diskProblem, isDiskError, UserError } from '../user-error.js';
import { chainTotals } from './chain-totals.js';
import { Narrator } from './narrator.js';
import { parseOptions, type StartOptions } from './options.js';
import { makePlan } from './plan.js';
import { makeReport } from './report.js';
import { Session } from './session.js';

const TICK_MS = 500;
/** The services are asked this often how they are. */
const HEALTH_EVERY_MS = 10_000;
/** Real time that a closing statement may take before one more closing window is given. */
const CLOSING_PATIENCE_MS = 15_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Homes whose closing window is on chain with everything minted. Throws when the chain is away. */
async function settledHomes(session: Session): Promise<number> {
  const totals = await chainTotals(
    session.connection,
    session.reported.map((home) => home.meterId),
  );
  return [...totals.values()].filter(
    (at) => at.window >= session.clock.closingWindow && at.mintedBaseUnits === at.exportWh * BASE_UNITS_PER_WH,
  ).length;
}

/** Profile windows that every home has settled on chain, out of those asked for. */
async function settledWindows(session: Session): Promise<number> {
  const totals = await chainTotals(
    session.connection,
    session.reported.map((home) => home.meterId),
  );
  const lowest = Math.min(...[...totals.values()].map((at) => at.window));
  const missing = session.clock.closingWindow - 1 - lowest;
  return Math.min(session.clock.targetWindows, Math.max(0, session.clock.targetWindows - missing));
}

/** Runs until the windows are settled; resolves early when `stopping` aborts. */
async function settle(session: Session, narrator: Narrator, stopping: AbortSignal): Promise<boolean> {
  let closedSinceMs = 0;
  let told = 0;
  while (!stopping.aborted) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    const lines = await narrator.follow();
    try {
      const done = lines > 0 ? await settledWindows(session) : told;
      if (done > told) say(`${done} of ${session.clock.targetWindows} windows settled.`);
      told = Math.max(told, done);
      if (!session.clock.closed) {
        closedSinceMs = 0;
        continue;
      }
      closedSinceMs ||= Date.now();
      if ((await settledHomes(session)) === session.reported.length) {
        // The oracle writes its last row a moment after the chain shows it.
        for (let quiet = 0; quiet < 2; ) {
          await new Promise((resolve) => setTimeout(resolve, TICK_MS));
          quiet = (await narrator.follow()) > 0 ? 0 : quiet + 1;
        }
        return true;
      }
      if (Date.now() - closedSinceMs > CLOSING_PATIENCE_MS) {
        say('A home has no attested closing statement yet: one more closing window.');
        session.clock.extendClosing();
        closedSinceMs = 0;
      }
    } catch {
      // The chain is away: its process is being started again, and the next round looks anew.
    }
  }
  return false;
}

/** Goes on telling until `stopping` aborts. */
async function keepRunning(narrator: Narrator, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    await narrator.follow();
  }
}

async function writeReport(session: Session, options: StartOptions): Promise<void> {
  if (!options.report) return;
  const report = await makeReport({
    connection: session.connection,
    api: session.api,
    homes: session.reported,
    mqtt: session.mqttUrl,
    speed: options.speed,
    windows: session.clock.targetWindows,
  });
  writeJson(options.report, report);
  say(`Report written to ${options.report}`);
}

function announce(session: Session, options: StartOptions): void {
  const { plan } = session;
  const label = new Date(session.clock.now() + plan.offsetMinutes * 60_000)
    .toISOString()
    .slice(0, 16)
    .replace('T', ' ');
  say(
    `\n${session.homes.length} homes run; the simulated clock says ${label} and runs ${options.speed} times as fast as real time.`,
  );
  if (options.windows === null) {
    say(
      `The profile has ${plan.windows} windows; at its end the meters stop at zero power and everything keeps ` +
        'running. Simulated time that reaches the real time goes on at speed 1.',
    );
  } else {
    say(`${session.clock.targetWindows} windows of 15 minutes are settled, then one closing window at zero power.`);
  }
  say(`${session.addresses().join('\n')}\nCtrl-C stops cleanly; the next start goes on where this one stopped.\n`);
}

async function run(options: StartOptions): Promise<number> {
  const plan = makePlan(options, Date.now());
  const session = await Session.open(options, plan, say);
  const stopping = new AbortController();
  let firstSignalMs = 0;
  const onSignal = () => {
    // The terminal and npm may both pass one Ctrl-C on; a later second one means it.
    if (firstSignalMs && Date.now() - firstSignalMs > 1_000) process.exit(130);
    if (firstSignalMs) return;
    firstSignalMs = Date.now();
    say('Stopping ... (Ctrl-C again leaves at once)');
    stopping.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  let code = 0;
  try {
    await session.bringUp();
    const names = new Map(session.reported.map((home, i) => [home.meterId, `home ${i + 1}`]));
    const narrator = new Narrator(session.api, names, plan.offsetMinutes, say);
    await narrator.skipOld();
    session.clock.start();
    // Beside the loops below: they wait for others, and time may not.
    const reserving = setInterval(() => session.keepTime(), TICK_MS);
    const watching = setInterval(() => void session.services.look(), HEALTH_EVERY_MS);
    stopping.signal.addEventListener('abort', () => {
      clearInterval(reserving);
      clearInterval(watching);
    });
    announce(session, options);
    const settled = await settle(session, narrator, stopping.signal);
    if (settled) say(`All ${session.clock.targetWindows} windows are settled and minted.`);
    if (settled) await writeReport(session, options);
    if (options.exit) code = settled ? 0 : 1;
    else await keepRunning(narrator, stopping.signal);
  } finally {
    await session.stop();
    say('Stopped.');
  }
  return code;
}

/** Rights that nothing of a start ever gets, the files of the processes it starts included. */
const PRIVATE_UMASK = 0o077;

async function main(): Promise<void> {
  process.umask(PRIVATE_UMASK);
  let data = '';
  try {
    const options = parseOptions(process.argv.slice(2));
    data = options?.data ?? '';
    process.exitCode = options ? await run(options) : 0;
  } catch (error) {
    if (!(error instanceof UserError) && !isDiskError(error)) throw error;
    console.error(isDiskError(error) ? diskProblem(error, data) : (error as Error).message);
    process.exitCode = 2;
  }
  process.exit();
}

await main();
