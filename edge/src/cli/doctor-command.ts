import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freeBytes, systemClock } from '@gridtokenx/runtime/node';
import { chronySource } from '../adapters/clock/chrony.js';
import { runProgram } from '../adapters/clock/run-program.js';
import { timesyncdReport, timesyncdTouchedAtMs } from '../adapters/clock/timesyncd.js';
import { lockDirectory } from '../adapters/lock/lock.js';
import { type BusConfig, brokersOf, type GatewayConfig } from '../wiring/config.js';
import { checkProfiles, StartError } from '../wiring/setup.js';
import { askStatus } from './commands.js';
import { checkBus } from './doctor/bus.js';
import { type Check, checkLine, type DoctorPorts, note, problem, unseen, well } from './doctor/check.js';
import { checkDisk, checkKeys, checkPage } from './doctor/machine.js';
import { type BrokerVisit, checkBroker, checkOracles, systemLookup } from './doctor/network.js';
import { checkRegistration } from './doctor/registration.js';

const PROBE_FILE = '.doctor';

/** This machine. */
export const MACHINE: DoctorPorts = {
  clock: systemClock,
  lookup: systemLookup,
  probeFolder: (folder) => {
    writeFileSync(join(folder, PROBE_FILE), '');
    unlinkSync(join(folder, PROBE_FILE));
  },
  freeBytes,
  timeService: async () => {
    if (await chronySource(runProgram, existsSync, () => systemClock.nowMs())()) return 'chrony';
    return timesyncdReport(timesyncdTouchedAtMs(), systemClock.nowMs()) ? 'timesyncd' : null;
  },
};

/** A gateway that runs in the data directory; `problems`: as it states them, null where it has no status page. */
interface RunningGateway {
  readonly problems: readonly unknown[] | null;
  /** Facts about its meters that are odd and do no harm. */
  readonly notes: readonly string[];
}

/**
 * Looks at the whole way from the meters to the oracles and prints a line for each thing: what is wrong and what to do,
 * what is well, and what nobody looked at. Reads meters only where no gateway runs, because a running one has the lines
 * open. `only`: one bus, and nothing else. Returns true when no problem was found.
 */
export async function doctor(
  config: GatewayConfig,
  only: string | undefined,
  signal: AbortSignal,
  ports: DoctorPorts = MACHINE,
): Promise<boolean> {
  const buses = config.buses.filter(({ name }) => only === undefined || name === only);
  if (buses.length === 0)
    throw new StartError(
      `there is no bus "${only}": the configuration has ${config.buses.map(({ name }) => name).join(', ')}`,
    );
  checkProfiles(config);
  let problems = 0;
  const say = (checks: readonly Check[]) => {
    for (const check of checks) console.log(checkLine(check));
    problems += checks.filter(({ level }) => level === 'problem').length;
  };
  const running = await findRunning(config);
  if (only === undefined) await lookAtTheWay(config, ports, signal, running !== null, say);
  else say([unseen('disk, keys, clock, broker, oracles', '--bus names a bus')]);
  if (running !== null) say(statedBy(running, buses));
  else for (const bus of buses) say(await checkBus(config, bus, ports, signal));
  return problems === 0;
}

/** Asks the running gateway; else looks whether a process holds the data directory. Returns null where none runs. */
async function findRunning({ http, data_dir: folder }: GatewayConfig): Promise<RunningGateway | null> {
  const status = (http ? await askStatus(http).catch(() => null) : null) as Record<string, unknown> | null;
  // Another program may answer on that port.
  if (status && Array.isArray(status.problems)) return { problems: status.problems, notes: notesOf(status.meters) };
  if (!existsSync(folder)) return null;
  const lock = await lockDirectory(folder);
  await lock?.release();
  return lock === null ? { problems: null, notes: [] } : null;
}

/** Returns the notes of a running gateway's meters, each with the meter's name. */
function notesOf(meters: unknown): string[] {
  if (!Array.isArray(meters)) return [];
  return (meters as ({ name?: unknown; notes?: unknown } | null)[]).flatMap((meter) =>
    Array.isArray(meter?.notes) ? meter.notes.map((text) => `meter ${meter.name}: ${text}`) : [],
  );
}

/** Looks at everything that needs no line. */
async function lookAtTheWay(
  config: GatewayConfig,
  ports: DoctorPorts,
  signal: AbortSignal,
  isRunning: boolean,
  say: (checks: readonly Check[]) => void,
): Promise<void> {
  if (signal.aborted) return say([unseen('disk, keys, clock, broker, oracles', 'stopped')]);
  say(checkDisk(config, ports));
  const { gateway, keyed, checks } = await checkKeys(config);
  say(checks);
  say(await checkPage(config, isRunning));
  const oracles = await checkOracles(config, ports);
  say(oracles.checks);
  const nowMs = ports.clock.nowMs() + oracles.offsetMs;
  let acks: BrokerVisit['acks'] = null;
  for (const one of brokersOf(config)) {
    const visit = await checkBroker(one, gateway, { isRunning, nowMs }, ports);
    say(visit.checks);
    acks ??= visit.acks;
  }
  say(checkRegistration(config, keyed, acks));
}

/** Returns what a running gateway states of itself: it has the lines open. */
function statedBy({ problems, notes }: RunningGateway, buses: readonly BusConfig[]): Check[] {
  return [
    ...buses.map(({ name }) => unseen(`bus ${name}`, 'the running gateway has the line open')),
    ...notes.map((text) => note('the running gateway', text)),
    ...(problems === null
      ? [unseen('the running gateway', 'the configuration has no http section, so nobody can ask it')]
      : problems.length === 0
        ? [well('the running gateway', 'it states no problem')]
        : problems.map((text) => problem('the running gateway states', String(text)))),
  ];
}
