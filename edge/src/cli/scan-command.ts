import { createHash, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Role } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { parsePlain, readRegularFile, systemClock } from '@gridtokenx/runtime/node';
import { allProfiles, loadSunspecModels } from '../adapters/profiles/files.js';
import { BusStats } from '../domain/bus/stats.js';
import { chooseMeters, configText } from '../domain/commissioning/config-text.js';
import { parseTarget, type Target, TargetError } from '../domain/commissioning/target.js';
import { defaultsOf } from '../domain/scan/defaults.js';
import type { Fit } from '../domain/scan/identify.js';
import { EVERY_UNIT_TEXT, NOTHING_TEXT, NOTHING_THERE_TEXT, ScanStopped } from '../domain/scan/messages.js';
import { networkPlan, type Stage, serialPlan } from '../domain/scan/plan.js';
import { Scan } from '../domain/scan/scan.js';
import { newState, type ScanState } from '../domain/scan/state.js';
import type { MeterProfile } from '../profiles/profile.js';
import type { MeterConfig } from '../wiring/config.js';
import { profileOf, StartError } from '../wiring/setup.js';
import { askAnswers } from './answers.js';
import { openLine } from './open-line.js';
import type { ScanCommand } from './options.js';
import { refuseUnwritable, writeWhole } from './output.js';
import { foundText, type Progress, progressTo } from './progress.js';
import { stablePath } from './stable-path.js';

/**
 * Searches a line for meters and writes a configuration for them. Throws `StartError` when it cannot begin or has to
 * stop. Keeps what it found until then, and the next call continues.
 */
export async function scan(command: ScanCommand, signal: AbortSignal): Promise<void> {
  const target = targetOf(command.port);
  if (existsSync(command.out) && !command.force)
    throw new StartError(`${command.out} exists: name another file with --out, or give --force to replace it`);
  const base = command.base === undefined ? null : readBase(command.base);
  const own = command.profilesDir ?? ownOf(base);
  const { profiles, faults } = allProfiles(own);
  refuseUnknownProfiles(command, profiles);
  refuseUnwritable(command.out);
  refuseUnwritable(`${command.out}.scan.json`);
  const stages = target.kind === 'serial' ? serialPlan(defaultsOf(profiles)) : networkPlan(command.way);
  const store = new StateFile(`${command.out}.scan.json`, command.port, stages);
  const progress = progressTo(process.stderr, stages);
  for (const { message } of faults) progress.line(`skipped a profile: ${message}`);
  const state = command.again ? newState() : resumed(store, stages, progress);
  const stats = new BusStats();
  const running = new Scan(
    {
      stages,
      profiles,
      models: loadSunspecModels(),
      open: (setting) => openLine(target, setting),
      clock: systemClock,
      firstId: randomInt(65_536),
      ...(command.expect === undefined ? {} : { expect: command.expect }),
      signal,
      onFound: (found) => progress.line(foundText(found)),
      onNote: (text) => progress.line(`note: ${text}`),
      onProgress: (setting, unit, now) => progress.at(setting, unit, now),
      onState: (now) => store.write(now),
      stats,
    },
    state,
  );
  progress.line(`${command.port}: listening first, then reading; nothing is ever written to a meter`);
  const stopped = await running.run().then(
    () => null,
    (error: unknown) => {
      if (error instanceof ScanStopped) return error.message;
      throw error;
    },
  );
  progress.end();
  const count = state.found.length;
  const isWhole = stopped === null && (!signal.aborted || count >= (command.expect ?? Number.POSITIVE_INFINITY));
  if (isWhole) {
    store.finished();
    await finish(command, target, { base, own }, state);
    return;
  }
  // A configuration written now would block the complete one later.
  if (count > 0)
    progress.line(`${count} found so far; with --expect ${count} the same command writes the configuration for them`);
  if (stopped !== null) throw new StartError(`${command.port}: ${stopped}`);
  progress.line('stopped: the same command continues from here');
}

/** Prints what the scan found, asks for missing values, and writes the configuration. */
async function finish(
  command: ScanCommand,
  target: Target,
  { base, own }: { readonly base: Record<string, unknown> | null; readonly own: string | undefined },
  state: ScanState,
): Promise<void> {
  const refusal = refusalBy(own);
  const { chosen, left } = chooseMeters(state.found, refusal);
  for (const text of left) console.log(`not used: ${text}`);
  if (chosen.length === 0) {
    if (state.found.length === 0) console.log(target.kind === 'serial' ? NOTHING_TEXT : NOTHING_THERE_TEXT);
    return;
  }
  const mayAsk = !command.yes && process.stdin.isTTY === true;
  const answers = mayAsk ? await askAnswers(chosen, command.answers) : command.answers;
  const answersToAll = state.notes.includes(EVERY_UNIT_TEXT);
  const profilesDir = own === undefined ? {} : { profilesDir: own };
  const known = {
    target: lastingTarget(target),
    found: state.found,
    answers,
    site: command.site,
    base,
    ...profilesDir,
  };
  const text = configText({ ...known, answersToAll, refusal });
  writeWhole(command.out, text);
  const open = [...text.matchAll(/^.*TO BE FILLED IN:.*$/gm)].filter(([line]) => !line.startsWith('#')).length;
  console.log(
    `${command.out}: ${chosen.length} meter${chosen.length === 1 ? '' : 's'}${open > 0 ? `; fill in ${open} values before the gateway runs` : ''}`,
  );
}

/** Names a serial port by the adapter's own link: USB adapters return under other numbers. */
function lastingTarget(target: Target): Target {
  return target.kind === 'serial' ? { ...target, path: stablePath(target.path) } : target;
}

function targetOf(port: string): Target {
  try {
    return parseTarget(port);
  } catch (error) {
    if (error instanceof TargetError) throw new StartError(error.message);
    throw error;
  }
}

/** Returns the function that says why `run` would refuse a meter; null when it would not. */
function refusalBy(own: string | undefined) {
  return ({ profile, exportOnly }: Fit): string | null => {
    try {
      profileOf({ name: '', profile, role: exportOnly ? Role.production : Role.point } as MeterConfig, own);
      return null;
    } catch (error) {
      if (error instanceof StartError) return error.message.replace(/^meter : /, '');
      throw error;
    }
  };
}

/** Returns the folder of own profiles that the base configuration names. */
function ownOf(base: Record<string, unknown> | null): string | undefined {
  const own = base?.profiles_dir;
  if (own === undefined || (typeof own === 'string' && own !== '')) return own;
  throw new StartError('profiles_dir in the --base file: expected the path of a folder');
}

/** Throws `StartError` for a profile on the command line that nobody has. */
function refuseUnknownProfiles({ answers }: ScanCommand, profiles: readonly MeterProfile[]): void {
  const ids = profiles.map(({ id }) => id);
  for (const [unit, { profile }] of answers)
    if (profile !== undefined && !ids.includes(profile))
      throw new StartError(`--profile ${unit}=${profile}: there is no such profile: expected one of ${ids.join(', ')}`);
}

function readBase(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readRegularFile(file).toString('utf8');
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new StartError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  const parsed = parsePlain(text);
  if (!parsed.ok) throw new StartError(`${file}:${parsed.fault.line}: ${parsed.fault.key}: ${parsed.fault.message}`);
  return parsed.value;
}

function resumed(store: StateFile, stages: readonly Stage[], progress: Progress): ScanState {
  const state = store.read();
  if (!state) return newState();
  progress.line(
    `continuing where the last scan of this port stopped: ${state.stage} of ${stages.length} steps, ${state.found.length} found (--again starts anew)`,
  );
  for (const found of state.found) progress.line(foundText(found));
  return state;
}

/** Stores the state of a scan beside its result; it is of no use for another port or another plan. */
class StateFile {
  readonly #path: string;
  readonly #port: string;
  readonly #plan: string;
  #isFinished = false;

  constructor(path: string, port: string, stages: readonly Stage[]) {
    this.#path = path;
    this.#port = port;
    this.#plan = createHash('sha256').update(JSON.stringify(stages)).digest('hex').slice(0, 16);
  }

  read(): ScanState | null {
    try {
      const { port, plan, finished, state } = JSON.parse(readRegularFile(this.#path).toString('utf8')) as Stored;
      const isOurs = port === this.#port && plan === this.#plan && !finished;
      return isOurs && Array.isArray(state.found) && Number.isInteger(state.stage) ? state : null;
    } catch {
      // No state, or a damaged one: the scan begins anew.
      return null;
    }
  }

  write(state: ScanState): void {
    if (state.stage === 0 && state.unit === 0 && state.found.length === 0) return;
    const stored: Stored = { port: this.#port, plan: this.#plan, finished: this.#isFinished, state };
    this.#last = stored;
    writeWhole(this.#path, JSON.stringify(stored));
  }
  #last: Stored | null = null;

  finished(): void {
    this.#isFinished = true;
    if (this.#last) this.write(this.#last.state);
  }
}

interface Stored {
  readonly port: string;
  readonly plan: string;
  readonly finished: boolean;
  readonly state: ScanState;
}
