import { fileURLToPath } from 'node:url';

/** The three default homes: 28 days each, made from real data; its origin is told in data/README.md. */
export const defaultProfilesPath = fileURLToPath(new URL('../data/default-profiles.csv', import.meta.url));

/** A real home for a whole year in half-hours: `time,consumption_wh,production_wh`, see data/README.md. */
export const yearPath = fileURLToPath(new URL('../data/home-12.csv', import.meta.url));
