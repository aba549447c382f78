import { createHash } from 'node:crypto';
import { WINDOW_MS } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';
import { defaultProfilesPath, highestSpeed, loadProfiles, type Profile } from '@gridtokenx/simulators';
import { MAX_HOMES } from './layout.js';
import type { StartOptions } from './options.js';

/** The checked plan of a start. */
export interface Plan {
  readonly profilesPath: string;
  readonly profiles: readonly Profile[];
  /** SHA-256 of the profile file: the data folder belongs to one profile. */
  readonly profilesHash: string;
  readonly startAtMs: number;
  /** Windows that every home has. */
  readonly windows: number;
  /** The profile's own offset from UTC, for lines that people read. */
  readonly offsetMinutes: number;
}

const fault = (key: string, problem: string, advice: string) =>
  new OperatorError({ code: 'option', key, problem, advice });

/** Reads and checks the profile and the options. Throws `OperatorError` for everything that the user can correct. */
export function makePlan(options: StartOptions, chainNowMs: number): Plan {
  if (options.speed > highestSpeed()) {
    const problem = `${options.speed} is too fast: no poll could be placed within 60 simulated seconds of each window's end`;
    throw fault('--speed', problem, `the highest possible value is ${highestSpeed()}`);
  }
  const profilesPath = options.profiles ?? defaultProfilesPath;
  const { profiles, text } = load(profilesPath);
  const first = checkHomes(profiles, profilesPath);
  checkWindows(options, first, chainNowMs);
  checkInspected(options.inspect, profiles.length);
  return {
    profilesPath,
    profiles,
    profilesHash: createHash('sha256').update(text).digest('hex'),
    startAtMs: first.startAtMs,
    windows: first.windows,
    offsetMinutes: offsetOf(text),
  };
}

/** Returns the first home, whose times all other homes share. */
function checkHomes(profiles: readonly Profile[], file: string): Profile {
  const [first] = profiles;
  if (!first) throw new OperatorError({ code: 'no-home', file, problem: 'no home', advice: 'add its rows' });
  if (profiles.length > MAX_HOMES) {
    const problem = `${profiles.length} homes`;
    const advice = `one start runs at most ${MAX_HOMES}`;
    throw new OperatorError({ code: 'too-many-homes', file, problem, advice });
  }
  const other = profiles.find(({ startAtMs, windows }) => startAtMs !== first.startAtMs || windows !== first.windows);
  if (!other) return first;
  const problem = `home "${other.home}" does not cover the same time as home "${first.home}"`;
  const advice = 'all homes live on one clock, so give them the same first interval and the same length';
  throw new OperatorError({ code: 'other-times', file, problem, advice });
}

/** Refuses a gateway that no home has. */
function checkInspected(inspect: string | null, homes: number): void {
  const number = Number(inspect?.match(/^gateway-(\d+)$/)?.[1] ?? 1);
  if (number <= homes) return;
  throw fault(
    '--inspect',
    `there is no ${inspect}: the profile has ${homes} homes`,
    `give gateway-1 to gateway-${homes}`,
  );
}

function checkWindows(options: StartOptions, profile: Profile, chainNowMs: number): void {
  if (options.windows === null) return;
  if (options.windows > profile.windows) throw tooManyWindows(options.windows, profile.windows);
  const endAtMs = profile.startAtMs + (options.windows + 1) * WINDOW_MS;
  if (endAtMs <= chainNowMs) return;
  const end = new Date(endAtMs).toISOString();
  const problem = `the profile's ${options.windows} windows and the closing one end at ${end}, after the chain's clock`;
  throw fault('--windows', problem, 'give fewer, or a profile of the past');
}

/** Returns the error for more windows than a profile has. */
export function tooManyWindows(asked: number, windows: number): OperatorError {
  return fault(
    '--windows',
    `${asked} is too many: the profile has only ${windows} windows of 15 minutes`,
    'give fewer',
  );
}

/** Loads the file. Throws `ProfileError`, an `OperatorError`, for a faulty file. */
function load(file: string): { profiles: Profile[]; text: string } {
  try {
    return { profiles: loadProfiles(file), text: readRegularFile(file).toString('utf8') };
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (!code) throw cause;
    const advice = 'give a readable CSV file with --profiles';
    throw new OperatorError({ code: 'unreadable', file, problem: `cannot be read (${code})`, advice }, { cause });
  }
}

/** Returns the offset from UTC of the first row's time, in minutes. */
function offsetOf(text: string): number {
  const match = /T[0-9:.]+([+-])(\d\d):?(\d\d)/.exec(text.slice(0, 400));
  if (!match) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}
