import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { until } from '@gridtokenx/testing-kit/until';
import { ROOT, System } from '../../kill/system.js';
import { fingerprint } from '../../runner/state.js';
import { clockAfterAbsence, profileText } from './cast.js';

const TEMPLATES = join(ROOT, '.campaigns/neighbours-homes');
const ENROLLING = 'enrolling-';
const PATIENCE_MS = 240_000;
/** The code that the data folder of a fresh start depends on. */
const CODE = [
  ...['protocol', 'runtime', 'edge', 'broker', 'oracle', 'simulators'].map((name) => `${name}/dist`),
  'tools/devnet/dist',
  'programs/artifacts',
  'testing/campaigns/dist/neighbours/real',
];

/**
 * Copies a data folder in which all homes are enrolled into `folder`, with its profile. Enrolment takes most of a first
 * start. So it runs once for each state of the code, and its result is kept beside the campaigns' other state.
 */
export async function copyTemplate(folder: string, ports: number): Promise<void> {
  const template = join(TEMPLATES, fingerprint(ROOT, CODE));
  if (!existsSync(template)) await makeTemplate(template, ports);
  cpSync(template, folder, { recursive: true });
  const clock = join(folder, 'data/clock.json');
  writeFileSync(clock, clockAfterAbsence(readFileSync(clock, 'utf8')));
}

async function makeTemplate(template: string, ports: number): Promise<void> {
  mkdirSync(TEMPLATES, { recursive: true });
  // Folders of other code are useless; another process may be enrolling at this moment.
  for (const name of readdirSync(TEMPLATES))
    if (!name.startsWith(ENROLLING)) rmSync(join(TEMPLATES, name), { recursive: true, force: true });
  const folder = mkdtempSync(join(TEMPLATES, ENROLLING));
  writeFileSync(join(folder, 'profile.csv'), profileText());
  // Simulated time stays before the profile while the homes are enrolled.
  const system = await System.start(join(folder, 'data'), [
    ...['--ports', `${ports}`, '--speed', '1'],
    ...['--profiles', join(folder, 'profile.csv')],
  ]);
  try {
    await until('the enrolment', () => system.hasEnded || system.said(/Ctrl-C stops cleanly/), PATIENCE_MS);
    await system.stop();
    if (!system.said(/^Stopped/)) throw new Error(`the enrolment failed:\n${system.lines.slice(-8).join('\n')}`);
    rmSync(join(folder, 'data/logs'), { recursive: true, force: true });
    renameSync(folder, template);
  } catch (error) {
    if (!existsSync(template)) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
