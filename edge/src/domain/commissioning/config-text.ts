import { TO_FILL_IN } from '@gridtokenx/runtime/core';
import { stringify } from 'yaml';
import type { Fit } from '../scan/identify.js';
import { type Setting, settingText } from '../scan/settings.js';
import type { Found } from '../scan/state.js';
import type { Target } from './target.js';

/** Holds a person's statements about a unit. */
export interface Answers {
  readonly serial?: string;
  readonly model?: string;
  readonly profile?: string;
}

/** Holds values that all meters of the site share; the installer fills in the missing ones. */
export interface Site {
  readonly owner?: string;
  readonly zone?: number;
  readonly exportLimitW?: number;
  readonly importLimitW?: number;
}

export interface ConfigTextOptions {
  readonly target: Target;
  readonly found: readonly Found[];
  readonly answers: ReadonlyMap<number, Answers>;
  readonly site: Site;
  /** Sections beside buses and meters, from another configuration; null: the installer fills in all of them. */
  readonly base: Readonly<Record<string, unknown>> | null;
  /** Folder of the user's own profiles. */
  readonly profilesDir?: string;
  /** True when the device behind an address has no units of its own. */
  readonly answersToAll: boolean;
  /** Says why the gateway cannot bill by a fit; null when it can. */
  readonly refusal: (fit: Fit) => string | null;
}

/** A meter of the configuration, with the values that are still unknown. */
export interface Chosen {
  readonly found: Found;
  readonly fits: readonly Fit[];
}

const fillIn = (what: string) => `${TO_FILL_IN} ${what}`;

/**
 * Chooses the units of one line that the gateway can read, at the setting that most of them have, since a line has one
 * setting. `left` lists the other units and why each is omitted.
 */
export function chooseMeters(
  found: readonly Found[],
  refusal: (fit: Fit) => string | null,
): { readonly setting: Setting | null; readonly chosen: readonly Chosen[]; readonly left: readonly string[] } {
  const left: string[] = [];
  const usable: Chosen[] = [];
  for (const one of found) {
    const fits = one.fits.filter((fit) => fit.unfit === null && refusal(fit) === null);
    if (fits.length > 0) usable.push({ found: one, fits });
    else left.push(`${whereText(one)}: ${whyNot(one, refusal)}`);
  }
  const counts = new Map<string, number>();
  for (const { found: one } of usable)
    counts.set(settingText(one.setting), (counts.get(settingText(one.setting)) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  const chosen = usable.filter(({ found: one }) => settingText(one.setting) === most);
  for (const { found: one, fits } of usable) {
    if (settingText(one.setting) !== most)
      left.push(
        `${whereText(one)}: ${nameOf(fits)}. A line has one speed: set this meter to ${most} in its menu, then scan again`,
      );
  }
  return {
    setting: chosen[0]?.found.setting ?? null,
    chosen: chosen.sort((a, b) => a.found.unit - b.found.unit),
    left,
  };
}

function whyNot({ fits }: Found, refusal: (fit: Fit) => string | null): string {
  const [first] = fits;
  if (!first) return 'it answers, but no profile fits: write a profile (docs/meters.md), or use another meter';
  return `${nameOf(fits)}: ${first.unfit ?? refusal(first)}`;
}

export const whereText = ({ unit, setting }: Found): string => `unit ${unit} at ${settingText(setting)}`;

/** Returns manufacturer and model, or all that fit. */
export function nameOf(fits: readonly Fit[]): string {
  const names = [...new Set(fits.map(({ manufacturer, model }) => `${manufacturer} ${model}`))];
  return names.join(' or ');
}

/** Returns the serial number that was read: by the chosen fit, else the only one that any fit read; null without one. */
export function serialOf(fits: readonly Fit[], fit: Fit | null): string | null {
  const read = [...new Set(fits.flatMap(({ serial }) => (serial === null ? [] : [serial])))];
  return fit?.serial ?? (read.length === 1 ? (read[0] ?? null) : null);
}

/** Returns the only fit, or the fit that a person named; null when several fit. */
export function fitOf({ fits }: Chosen, answers: Answers): Fit | null {
  if (answers.profile !== undefined) return fits.find(({ profile }) => profile === answers.profile) ?? null;
  const [only, ...others] = fits;
  // A probe of numbers that any meter might show proves nothing.
  return only && others.length === 0 && only.strength >= 1 ? only : null;
}

/** Writes the text of a gateway's configuration. Marks each unknown value, and `run` refuses it by name and line. */
export function configText(options: ConfigTextOptions): string {
  const { target, found, answers, base, refusal, profilesDir } = options;
  const { setting, chosen, left } = chooseMeters(found, refusal);
  const head = base ?? {
    network_id: fillIn('16 hexadecimal digits, from the utility'),
    data_dir: '/var/lib/gridtokenx',
    name: 'gateway',
    broker: { url: fillIn('the broker, such as mqtts://broker.example:8883'), name: fillIn("the broker's name") },
    oracles: [{ key: fillIn('the public key of an oracle, from the utility') }],
    ack_threshold: 1,
  };
  const { buses: _buses, meters: _meters, ...rest } = head as Record<string, unknown>;
  const meters = chosen.map((one) => meterOf(one, answers.get(one.found.unit) ?? {}, options.site));
  const buses = setting ? [busOf(target, setting, options.answersToAll)] : [];
  const own = profilesDir === undefined ? {} : { profiles_dir: profilesDir };
  const notes = left.map((text) => `# Not in this configuration: ${text}.\n`).join('');
  const kept = stringify({ ...rest, ...own, buses, meters }, { lineWidth: 0 });
  return `# Written by gridtokenx-gateway scan. Fill in the values that begin with "${TO_FILL_IN}" before the gateway runs.\n${notes}${kept}`;
}

function busOf(target: Target, setting: Setting, answersToAll: boolean): Record<string, unknown> {
  if (setting.transport === 'serial') {
    const { baud, parity, stopBits } = setting;
    const path = target.kind === 'serial' ? target.path : '';
    return { name: 'line', transport: 'serial', path, baud, parity, stop_bits: stopBits };
  }
  const { host, port } = target.kind === 'network' ? target : { host: '', port: 0 };
  // A converter's queue may mix answers up; a single device without units behind it has no queue.
  const converter = setting.transport === 'tcp' && !answersToAll ? { converter: true } : {};
  return { name: 'line', transport: setting.transport, host, port, ...converter };
}

function meterOf(chosen: Chosen, answers: Answers, site: Site): Record<string, unknown> {
  const { unit } = chosen.found;
  const fit = fitOf(chosen, answers);
  const ids = chosen.fits.map(({ profile }) => profile).join(', ');
  const names = [...new Set(chosen.fits.flatMap(({ model }) => model.split(', ')))];
  const model = answers.model ?? (fit && !fit.model.includes(', ') ? fit.model : undefined);
  return {
    name: `meter-${unit}`,
    manufacturer: (fit ?? chosen.fits[0])?.manufacturer,
    model: model ?? fillIn(`the model on the nameplate, one of ${names.join(', ')}`),
    serial: answers.serial ?? serialOf(chosen.fits, fit) ?? fillIn('the serial number on the nameplate'),
    profile: fit?.profile ?? fillIn(`the profile of this meter, one of ${ids} (docs/meters.md)`),
    bus: 'line',
    unit,
    poll_seconds: 60,
    owner: site.owner ?? fillIn("the owner's wallet"),
    ...(fit?.exportOnly ? { source: 'solar', role: 'production' } : {}),
    zone: site.zone ?? fillIn('the zone, a number from the utility'),
    export_limit_w: site.exportLimitW ?? fillIn('the most that the connection can feed in, W'),
    import_limit_w: site.importLimitW ?? fillIn('the most that the connection can draw, W'),
  };
}
