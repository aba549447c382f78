import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProfileError, parseProfile } from '../../profiles/parse.js';
import type { MeterProfile } from '../../profiles/profile.js';
import { parseSunspecModels, type SunspecModels } from '../../profiles/sunspec.js';

/** The profiles that ship with the gateway. */
export const shippedProfiles = fileURLToPath(new URL('../../../profiles', import.meta.url));

/**
 * Every profile in a folder (`*.yaml`), by its id, sorted. An id is the name of its file. Throws `ProfileError`, or the
 * system's error where the folder cannot be read.
 */
export function loadProfiles(directory: string = shippedProfiles): Map<string, MeterProfile> {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  return new Map(
    names.map((name) => {
      const file = join(directory, name);
      const profile = parseProfile(readFileSync(file, 'utf8'), file);
      if (`${profile.id}.yaml` !== name) {
        throw new ProfileError(file, 1, 'id', `expected "${name.slice(0, -'.yaml'.length)}", the name of the file`);
      }
      return [profile.id, profile];
    }),
  );
}

/** Offsets and types of the SunSpec models that are known. */
export function loadSunspecModels(directory: string = shippedProfiles): SunspecModels {
  return parseSunspecModels(JSON.parse(readFileSync(join(directory, 'sunspec.json'), 'utf8')));
}
