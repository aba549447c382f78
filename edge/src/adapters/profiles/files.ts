import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProfileError, parseProfile } from '../../profiles/parse.js';
import type { MeterProfile } from '../../profiles/profile.js';
import { parseSunspecModels, type SunspecModels } from '../../profiles/sunspec.js';

const SUFFIX = '.yaml';
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

/** Loads one profile. Throws `ProfileError`, or the system's error where there is no such file. */
export function loadProfile(id: string, directory: string = shippedProfiles): MeterProfile {
  const file = join(directory, `${id}${SUFFIX}`);
  const profile = parseProfile(readFileSync(file, 'utf8'), file);
  if (profile.id !== id) throw new ProfileError(file, 1, 'id', `expected "${id}", the name of the file`);
  return profile;
}

/** Loads offsets and types of the known SunSpec models. */
export function loadSunspecModels(directory: string = shippedProfiles): SunspecModels {
  return parseSunspecModels(JSON.parse(readFileSync(join(directory, 'sunspec.json'), 'utf8')));
}
