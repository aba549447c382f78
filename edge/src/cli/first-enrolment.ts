import { createInterface } from 'node:readline/promises';
import { Mutex } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { allProfiles } from '../adapters/profiles/files.js';
import { FirstReadError, firstRead } from '../domain/commissioning/first-read.js';
import type { MeterSample } from '../domain/ports.js';
import type { MeterConfig } from '../wiring/config.js';
import { type SetUpMeter, StartError } from '../wiring/setup.js';

/** Answers a question about a meter with yes or no. */
export type AskPerson = (question: string) => Promise<boolean>;

/**
 * Reads a meter until its first registers can be believed. `newMeters`: names whose counters may stand at 0 while power
 * flows, by a person's word. `own`: the folder of the user's profiles. Throws `StartError`.
 */
export async function believedSample(
  { config: meter, line }: Pick<SetUpMeter, 'config' | 'line'>,
  newMeters: readonly string[],
  ask: AskPerson | null,
  own?: string,
): Promise<MeterSample> {
  const limits = { importLimitW: meter.import_limit_w, exportLimitW: meter.export_limit_w, stepWh: 2 };
  try {
    const { sample, question } = await firstRead({
      ...{ reader: line.reader, checkProbe: line.checkProbe, limits, clock: systemClock },
      progress: (words) => console.error(`meter ${meter.name}: ${words}`),
    });
    if (question === null || newMeters.includes(meter.name)) return sample;
    const text = `meter ${meter.name}: ${question}${variantText(meter, own)}`;
    if (ask && (await ask(`${text}. Is it a new meter?`))) return sample;
    throw new StartError(`${text}. Where it is new, run enrol with --new-meter ${meter.name}`);
  } catch (error) {
    if (error instanceof FirstReadError) throw new StartError(`meter ${meter.name} ${error.message}`);
    throw error;
  }
}

/** Names the profiles of the same model with another register map, shipped or in the user's folder. */
function variantText(meter: MeterConfig, folder?: string): string {
  const { profiles } = allProfiles(folder);
  const own = profiles.find(({ id }) => id === meter.profile);
  const others = profiles.filter(
    ({ id, manufacturer, models }) =>
      id !== own?.id && manufacturer === own?.manufacturer && models.some((model) => own.models.includes(model)),
  );
  const names = others.map(({ id, variant }) => (variant === null ? id : `${id} (${variant})`));
  return names.length > 0 ? `; try profile ${names.join(' or ')}` : '';
}

/** Returns how a person can be asked; null where no person sits at the terminal. */
export function askPerson(): AskPerson | null {
  if (!process.stdin.isTTY) return null;
  const oneAtATime = new Mutex();
  return (question) =>
    oneAtATime.run(async () => {
      const terminal = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
      } finally {
        terminal.close();
      }
    });
}
