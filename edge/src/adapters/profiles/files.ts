import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '@gridtokenx/runtime/core';
import { operatorErrorOf, readRegularFile } from '@gridtokenx/runtime/node';
import { ProfileError, parseProfile } from '../../profiles/parse.js';
import type { MeterProfile } from '../../profiles/profile.js';
import { parseSunspecModels, type SunspecModels } from '../../profiles/sunspec.js';

const SUFFIX = '.yaml';
/** Bounds a profile's file, bytes: the largest of those that ship has 5,000, and a parser's time grows with the square. */
const MAX_BYTES = 131_072;
/** Directory of the profiles that ship with the gateway. */
export const shippedProfiles = fileURLToPath(new URL('../../../profiles', import.meta.url));

/**
 * Loads every profile in a folder (`*.yaml`), by its id, sorted. An id is the name of its file. Throws `ProfileError`,
 * or the system's error where the folder cannot be read.
 */
export function loadProfiles(directory: string = shippedProfiles): Map<string, MeterProfile> {
  return new Map(profileIds(directory).map((id) => [id, loadProfile(id, directory)]));
}

/** Lists the ids of the profiles in a folder, in the order of their files; reads no profile. */
export function profileIds(directory: string = shippedProfiles): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => name.slice(0, -SUFFIX.length));
}

/** Loads one profile. Throws `ProfileError`, or `OperatorError` for a file that cannot be read. */
export function loadProfile(id: string, directory: string = shippedProfiles): MeterProfile {
  const file = join(directory, `${id}${SUFFIX}`);
  const profile = loadProfileFile(file);
  if (profile.id !== id) throw new ProfileError(file, 1, 'id', `expected "${id}", the name of the file`);
  return profile;
}

/** Loads the profile in a file of any name. Throws as `loadProfile` does. */
export function loadProfileFile(file: string): MeterProfile {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readRegularFile(file, MAX_BYTES));
  } catch (error) {
    throw unreadable(file, error);
  }
  return parseProfile(text, file);
}

function unreadable(file: string, error: unknown): OperatorError {
  const known = operatorErrorOf(error);
  if (known) return known;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
    return new ProfileError(file, 1, 'file', 'expected a text in UTF-8: save it as UTF-8');
  return new OperatorError({ code: 'unreadable', file, problem: `cannot be read (${code ?? error})`, advice: '' });
}

/** Loads the profile with an id: a shipped profile, or one of the user's folder. Throws as `loadProfile` does. */
export function findProfile(id: string, own?: string): MeterProfile {
  return loadProfile(id, own === undefined || profileIds().includes(id) ? shippedProfiles : own);
}

/** The profiles that can be used, and a fault for each file that is skipped. */
export interface AllProfiles {
  readonly profiles: readonly MeterProfile[];
  readonly faults: readonly OperatorError[];
}

/** Loads the shipped profiles and those of the user's folder. Throws as `ownProfiles` does. */
export function allProfiles(own?: string): AllProfiles {
  const { profiles, faults } = own === undefined ? { profiles: [], faults: [] } : ownProfiles(own);
  return { profiles: [...loadProfiles().values(), ...profiles], faults };
}

/**
 * Loads the profiles of the user's folder. Skips a file with a fault, and one whose id a shipped profile has. Throws
 * `OperatorError` for a folder that cannot be read.
 */
export function ownProfiles(own: string): AllProfiles {
  const profiles: MeterProfile[] = [];
  const faults: OperatorError[] = [];
  for (const id of ownIds(own)) {
    const clash = clashOf(id, own);
    try {
      if (clash) throw clash;
      profiles.push(loadProfile(id, own));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      faults.push(error);
    }
  }
  return { profiles, faults };
}

/** Lists the ids of the user's folder. Throws `OperatorError` for a folder that cannot be read. */
export function ownIds(own: string): string[] {
  try {
    return profileIds(own);
  } catch (error) {
    throw unreadable(own, error);
  }
}

/** Returns the fault of a file in the user's folder whose id a shipped profile has; null for a new id. */
export function clashOf(id: string, own: string): ProfileError | null {
  if (!profileIds().includes(id)) return null;
  const expected = 'expected an id that no shipped profile has: rename the file and its id';
  return new ProfileError(join(own, `${id}${SUFFIX}`), 1, 'id', expected);
}

/** Loads offsets and types of the known SunSpec models. */
export function loadSunspecModels(directory: string = shippedProfiles): SunspecModels {
  return parseSunspecModels(JSON.parse(readFileSync(join(directory, 'sunspec.json'), 'utf8')));
}
