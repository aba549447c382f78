import type { Answers, Site } from '../domain/commissioning/config-text.js';
import { StartError } from '../wiring/setup.js';

export interface ScanCommand {
  readonly port: string;
  readonly out: string;
  /** A configuration whose other sections the new one adopts. */
  readonly base?: string;
  /** Folder of the user's own profiles; undefined: as the base configuration says. */
  readonly profilesDir?: string;
  /** Protocol of a network address. */
  readonly way: 'tcp' | 'rtu-over-tcp';
  readonly expect?: number;
  readonly answers: ReadonlyMap<number, Answers>;
  readonly site: Site;
  /** Asks the person nothing. */
  readonly yes: boolean;
  /** Replaces the file at `out`. */
  readonly force: boolean;
  /** Discards the state of an earlier scan of this port. */
  readonly again: boolean;
}

/** The options as the command line states them. */
export interface ScanOptions {
  readonly out: string;
  readonly base?: string;
  readonly expect?: number;
  readonly raw?: boolean;
  readonly serial: readonly string[];
  readonly model: readonly string[];
  readonly profile: readonly string[];
  readonly profilesDir?: string;
  readonly owner?: string;
  readonly zone?: number;
  readonly exportLimitW?: number;
  readonly importLimitW?: number;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly again?: boolean;
}

/** Converts options into a command. Throws `StartError` for options that cannot be parsed. */
export function scanCommandOf(port: string, options: ScanOptions): ScanCommand {
  const { out, base, profilesDir, expect, raw, owner, zone, exportLimitW, importLimitW } = options;
  const answers = new Map<number, Answers>();
  for (const key of ['serial', 'model', 'profile'] as const) {
    for (const text of options[key]) {
      const [unit, value] = unitAndValue(`--${key}`, text);
      answers.set(unit, { ...answers.get(unit), [key]: value });
    }
  }
  return {
    port,
    out,
    ...(base === undefined ? {} : { base }),
    ...(profilesDir === undefined ? {} : { profilesDir }),
    ...(expect === undefined ? {} : { expect }),
    way: raw ? 'rtu-over-tcp' : 'tcp',
    answers,
    site: {
      ...(owner === undefined ? {} : { owner }),
      ...(zone === undefined ? {} : { zone }),
      ...(exportLimitW === undefined ? {} : { exportLimitW }),
      ...(importLimitW === undefined ? {} : { importLimitW }),
    },
    yes: options.yes ?? false,
    force: options.force ?? false,
    again: options.again ?? false,
  };
}

function unitAndValue(option: string, text: string): [number, string] {
  const match = /^(\d{1,3})=(.{1,64})$/.exec(text);
  const unit = Number(match?.[1]);
  const value = match?.[2]?.trim();
  if (!value || unit < 1 || unit > 247)
    throw new StartError(`${option} ${text}: expected UNIT=VALUE, such as 7=12345678, with a unit from 1 to 247`);
  return [unit, value];
}
