import type { Control } from '../../campaign.js';
import { SABOTAGES, type Sabotage } from './sabotages.js';

let current: Sabotage | null = null;

/** Returns the limit that is removed at the moment; null without one. */
export const sabotage = (): Sabotage | null => current;

/** Makes services that start from now on load the hook, and with it the sabotage. */
function install(name: string): () => void {
  const hook = new URL('./hook.js', import.meta.url).href;
  process.env.NODE_OPTIONS = `--import=${hook}`;
  process.env.GTX_SABOTAGE = name;
  current = SABOTAGES[name] ?? null;
  return () => {
    delete process.env.NODE_OPTIONS;
    delete process.env.GTX_SABOTAGE;
    current = null;
  };
}

export const realControls: Readonly<Record<string, Control>> = Object.fromEntries(
  Object.entries(SABOTAGES).map(([name, { about }]) => [name, { about, seeds: 1, install: () => install(name) }]),
);
