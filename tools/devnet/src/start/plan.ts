import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { WINDOW_MS } from '@gridtokenx/protocol';
import { defaultProfilesPath, highestSpeed, loadProfiles, type Profile, ProfileError } from '@gridtokenx/simulators';
import { UserError } from '../user-error.js';
import { MAX_HOMES } from './layout.js';
import type { StartOptions } from './options.js';

/** What a start plays, checked. */
export interface Plan {
  readonly profilesPath: string;
  readonly profiles: readonly Profile[];
  /** SHA-256 of the profile file: the data folder belongs to one profile. */
  readonly profilesHash: string;
  readonly startMs: number;
  /** Windows that every home has. */
  readonly windows: number;
  /** The profile's own offset from UTC, for the lines people read. */
  readonly offsetMinutes: number;
}

/** Reads and checks the profile and the options. Throws `UserError` for everything the person can mend. */
export function makePlan(options: StartOptions, chainNowMs: number): Plan {
  if (options.speed > highestSpeed()) {
    throw new UserError(
      `--speed ${options.speed} is too fast: no poll could be placed within 60 simulated seconds of each ` +
        `window's end. The highest possible value is ${highestSpeed()}.`,
    );
  }
  const profilesPath = options.profiles ?? defaultProfilesPath;
  const { profiles, text } = load(profilesPath);
  const [first] = profiles;
  if (!first) throw new UserError(`${profilesPath}: no home`);
  if (profiles.length > MAX_HOMES) {
    throw new UserError(`${profilesPath}: ${profiles.length} homes, one start runs at most ${MAX_HOMES}`);
  }
  for (const profile of profiles) {
    if (profile.startMs !== first.startMs || profile.windows !== first.windows) {
      throw new UserError(
        `${profilesPath}: home "${profile.home}" does not cover the same time as home "${first.home}": ` +
          'all homes live on one clock, so give them the same first interval and the same length',
      );
    }
  }
  const windows = options.windows ?? first.windows;
  if (windows > first.windows) {
    throw new UserError(`--windows ${windows}: the profile has only ${first.windows} windows of 15 minutes`);
  }
  const endMs = first.startMs + (windows + 1) * WINDOW_MS;
  if (options.windows !== null && endMs > chainNowMs) {
    throw new UserError(
      `the profile's ${windows} windows and the closing one end at ${new Date(endMs).toISOString()}, after the ` +
        "chain's clock: give fewer --windows or a profile of the past",
    );
  }
  return {
    profilesPath,
    profiles,
    profilesHash: createHash('sha256').update(text).digest('hex'),
    startMs: first.startMs,
    windows: first.windows,
    offsetMinutes: offsetOf(text),
  };
}

function load(path: string): { profiles: Profile[]; text: string } {
  try {
    return { profiles: loadProfiles(path), text: readFileSync(path, 'utf8') };
  } catch (error) {
    if (error instanceof ProfileError) throw new UserError(error.message);
    const code = (error as NodeJS.ErrnoException).code;
    if (code) throw new UserError(`${path}: cannot be read (${code}): give a readable CSV file with --profiles`);
    throw error;
  }
}

/** Minutes from UTC that the first row's time is written with. */
function offsetOf(text: string): number {
  const match = /T[0-9:.]+([+-])(\d\d):?(\d\d)/.exec(text.slice(0, 400));
  if (!match) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}
