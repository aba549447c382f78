import { fileURLToPath } from 'node:url';

/** The three default homes: 28 days each, derived from real data; data/README.md states the origin. */
export const defaultProfilesPath = fileURLToPath(new URL('../data/default-profiles.csv', import.meta.url));

/** A real home for a whole year in half-hours: `time,consumption_wh,production_wh`, see data/README.md. */
export const yearPath = fileURLToPath(new URL('../data/home-12.csv', import.meta.url));
