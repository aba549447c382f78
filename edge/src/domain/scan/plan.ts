import type { ReadFunction } from '../bus/frames.js';
import { type SerialSetting, type Setting, sameSetting, settingText } from './settings.js';

/** A read that is asked to learn whether a unit is there: any answer will do, an exception too. */
export interface ProbeRequest {
  readonly fn: ReadFunction;
  readonly address: number;
  /** Lengths in registers, the best first: one that was asked lately may not be asked again (see `ReplyQuarantine`). */
  readonly counts: readonly number[];
}

/** One sweep: the same question to units in order, at one setting. */
export interface Stage {
  readonly setting: Setting;
  readonly units: readonly number[];
  readonly question: ProbeRequest;
  /** From the request's last character to the answer's first, milliseconds. */
  readonly waitMs: number;
  /** True for a sweep that is worth its time only while no unit was found. */
  readonly isLastResort?: boolean;
}

/** A profile's factory setting of a new meter, and a register that such a meter certainly has. */
export interface Default {
  readonly setting: SerialSetting;
  readonly unit: number;
  /** No source says so. */
  readonly assumed: boolean;
  readonly question: ProbeRequest;
}

/** Both exist in nearly all meters, or are refused, which is an answer too. Even lengths: some refuse half a float. */
export const INPUT: ProbeRequest = { fn: 4, address: 0, counts: [2, 4, 6, 8, 10] };
export const HOLDING: ProbeRequest = { fn: 3, address: 0, counts: [2, 4, 6, 8, 10] };

export const LAST_UNIT = 247;
const INITIAL_UNITS = range(1, 10);
const OTHER_UNITS = range(11, LAST_UNIT);
/** Units of direct TCP devices; a converter would answer them for another unit's meter. */
const TCP_UNITS = [255, 0];

/** Settings that meters can have, the likely ones first (from profiles and the meters' menus). */
const SPEEDS = [9_600, 19_200, 38_400, 2_400, 115_200, 57_600, 4_800, 1_200] as const;
/**
 * Two stop bits are not tried: a receiver looks at the first one only, so that such a meter is found with one (a
 * sender's second stop bit is silence).
 */
const PARITIES = ['none', 'even', 'odd'] as const;

/** Waits for an answer, ms, longest where a meter is likely. `Scan` still hears a later answer. */
const LIKELY_MS = 120;
const OTHER_SETTING_MS = 80;
const SWEEP_MS = 40;
const SILENCE_CHARS = 4.5;

/** A meter begins no sooner than 3.5 characters after the request, and its first character takes time. */
function wait(ms: number, { baud, parity, stopBits }: SerialSetting): number {
  const charMs = (1_000 * (9 + (parity === 'none' ? 0 : 1) + stopBits)) / baud;
  return Math.round(ms + SILENCE_CHARS * charMs);
}

/**
 * A question on a slow line may not be repeated for seconds, at any setting (see `ReplyQuarantine`). While the same ten
 * units are asked at all settings in turn, slower lines come last. In the sweep of the others only the slowest does.
 */
const SLOW_BAUD = 9_600;
const SLOWEST_BAUD = 2_400;

/**
 * The order in which a serial line is searched: default settings of the shipped profiles with units 1 to 10; other
 * speeds with these units, without parity; all other units at every speed, without parity where a profile has that;
 * what answers holding registers only, or nothing but its own; then every other parity. Each (setting, unit, question)
 * comes once. Pure.
 */
export function serialPlan(defaults: readonly Default[]): Stage[] {
  const ranked = rankedSettings(defaults);
  const bauds = distinct([...ranked.map(({ baud }) => baud), ...SPEEDS]);
  const all = (parities: readonly SerialSetting['parity'][]) =>
    bauds.flatMap((baud) => parities.map((parity) => ({ transport: 'serial', baud, parity, stopBits: 1 }) as const));
  const usual = slowLast([...ranked, ...without(all(['none']), ranked)], SLOW_BAUD);
  const sweep = slowLast(
    bauds.map((baud) => likelyParity(baud, ranked)),
    SLOWEST_BAUD,
  );
  const rest = without([...ranked, ...all(PARITIES)], sweep);
  const firstUnits = (setting: SerialSetting) =>
    distinct([
      ...defaults.filter((one) => sameSetting(one.setting, setting)).map(({ unit }) => unit),
      ...INITIAL_UNITS,
    ]);
  const isRanked = (setting: SerialSetting) => ranked.some((one) => sameSetting(one, setting));
  return onceEach([
    ...usual.map((one) => stage(one, firstUnits(one), INPUT, isRanked(one) ? LIKELY_MS : OTHER_SETTING_MS)),
    ...sweep.map((setting) => stage(setting, OTHER_UNITS, INPUT, SWEEP_MS)),
    ...ranked.map((setting) => stage(setting, firstUnits(setting), HOLDING, LIKELY_MS)),
    ...defaults.map(({ setting, unit, question }) => stage(setting, [unit], question, LIKELY_MS)),
    ...rest.map((setting) => stage(setting, [...INITIAL_UNITS, ...OTHER_UNITS], INPUT, SWEEP_MS)),
  ]);
}

/** Those slower than `bound` behind the others, the slowest last. */
function slowLast(settings: readonly SerialSetting[], bound: number): SerialSetting[] {
  const rank = ({ baud }: SerialSetting) => (baud < bound ? 1 / baud : 0);
  return [...settings].sort((a, b) => rank(a) - rank(b));
}

/** The parity to try first at a speed: none, unless profiles name only another. */
function likelyParity(baud: number, ranked: readonly SerialSetting[]): SerialSetting {
  const none = { transport: 'serial', baud, parity: 'none', stopBits: 1 } as const;
  const named = ranked.filter((one) => one.baud === baud);
  return named.find(({ parity }) => parity === 'none') ?? named[0] ?? none;
}

/** On a network: units 1 to 10 first; a converter has units like a line, and waits for its meters itself. Units 255 and 0 last. */
export function networkPlan(transport: 'tcp' | 'rtu-over-tcp'): Stage[] {
  const stage = (units: readonly number[], question: ProbeRequest, waitMs: number): Stage => ({
    setting: { transport },
    units,
    question,
    waitMs,
  });
  const direct = [INPUT, HOLDING].map((question) => ({ ...stage(TCP_UNITS, question, 500), isLastResort: true }));
  return [
    stage(INITIAL_UNITS, INPUT, 500),
    stage(INITIAL_UNITS, HOLDING, 500),
    stage(OTHER_UNITS, INPUT, 250),
    ...(transport === 'tcp' ? direct : []),
  ];
}

/** The settings that profiles name, the most frequent first; one that a source states counts as three that do not. */
function rankedSettings(defaults: readonly Default[]): SerialSetting[] {
  const weights = new Map<string, { setting: SerialSetting; weight: number }>();
  for (const { setting, assumed } of defaults) {
    const entry = weights.get(settingText(setting)) ?? { setting, weight: 0 };
    entry.weight += assumed ? 1 : 3;
    weights.set(settingText(setting), entry);
  }
  return [...weights.values()].sort((a, b) => b.weight - a.weight).map(({ setting }) => setting);
}

function stage(setting: SerialSetting, units: readonly number[], question: ProbeRequest, waitMs: number): Stage {
  return { setting, units, question, waitMs: wait(waitMs, setting) };
}

/** Omits questions that an earlier stage asks already, and stages that are empty then. */
function onceEach(stages: readonly Stage[]): Stage[] {
  const asked = new Set<string>();
  return stages.flatMap((one) => {
    const units = one.units.filter((unit) => {
      const key = `${settingText(one.setting)} ${unit} ${one.question.fn} ${one.question.address}`;
      const isNew = !asked.has(key);
      asked.add(key);
      return isNew;
    });
    return units.length === 0 ? [] : [{ ...one, units }];
  });
}

function without(settings: readonly SerialSetting[], others: readonly SerialSetting[]): SerialSetting[] {
  return settings.filter((one) => !others.some((other) => sameSetting(one, other)));
}

function distinct<T>(list: readonly T[]): T[] {
  return [...new Set(list)];
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Requests of a plan, and the milliseconds that they take when nothing answers: characters and waits. */
export function planCost(stages: readonly Stage[], charMsOf: (setting: Setting) => number) {
  let requests = 0;
  let ms = 0;
  for (const { setting, units, waitMs } of stages) {
    requests += units.length;
    ms += units.length * (8 * charMsOf(setting) + waitMs);
  }
  return { requests, ms };
}
