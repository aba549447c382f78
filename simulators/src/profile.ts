import { WINDOW_MS } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';

/** The first line of every profile. */
export const PROFILE_HEADER = 'home,time,consumption_wh,production_wh';

/** One home's consumption and gross production, in equal intervals without gaps. */
export interface Profile {
  readonly home: string;
  /** Start of the first interval, ms since 1970, UTC; always a quarter of an hour. */
  readonly startAtMs: number;
  readonly intervalMs: number;
  readonly intervals: number;
  /** Whole windows in the profile; a shorter rest at the end is played but is no window. */
  readonly windows: number;
  /** Import and export up to the start of interval i, in millionths of a watt-hour; one entry more than intervals. */
  readonly importMicroWh: BigInt64Array;
  readonly exportMicroWh: BigInt64Array;
}

/** Energy since the profile's start, rounded down to whole watt-hours. */
export interface Energy {
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** Reports an unusable line of a profile. The message is one line: `FILE:LINE: column: what is wrong; what to do`. */
export class ProfileError extends OperatorError {
  override readonly name = 'ProfileError';

  constructor(file: string, line: number, key: string, problem: string, advice = 'correct it') {
    super({ code: 'profile', file, line, key, problem, advice });
  }
}

const MICRO = 1_000_000n;
/** Bound of an interval's energy, Wh: a home that moves more than a megawatt-hour has a wrong unit. */
const MAX_INTERVAL_WH = 1_000_000n;

interface Row {
  readonly line: number;
  readonly timeMs: number;
  readonly importMicro: bigint;
  readonly exportMicro: bigint;
}

/** Reads a profile file; throws `ProfileError`, or the file system's error when it cannot be read. */
export function loadProfiles(path: string): Profile[] {
  return parseProfiles(readRegularFile(path).toString('utf8'), path);
}

/**
 * Parses the text of a profile: homes in the order of their first row, rows of one home in rising time. Nets
 * consumption and production within each row (never across rows). Throws `ProfileError` for the first wrong line.
 */
export function parseProfiles(text: string, file = 'profile'): Profile[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  if (lines[0]?.trim() !== PROFILE_HEADER) {
    throw new ProfileError(file, 1, 'header', `expected "${PROFILE_HEADER}", found "${(lines[0] ?? '').slice(0, 80)}"`);
  }
  const homes = new Map<string, Row[]>();
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line.trim() === '') continue;
    const { home, row } = parseRow(line, file, i + 1);
    const rows = homes.get(home);
    if (rows) rows.push(row);
    else homes.set(home, [row]);
  }
  if (homes.size === 0) throw new ProfileError(file, 2, 'home', 'the profile has no rows', 'add them');
  return Array.from(homes, ([home, rows]) => buildProfile(home, rows, file));
}

function parseRow(line: string, file: string, number: number): { home: string; row: Row } {
  const fields = line.split(',').map((field) => field.trim().replace(/^"(.*)"$/, '$1'));
  if (fields.length !== 4) {
    throw new ProfileError(file, number, 'columns', `expected 4 (${PROFILE_HEADER}), found ${fields.length}`);
  }
  const [home = '', time = '', consumption = '', production = ''] = fields;
  if (!/^[^\s\p{C}"](?:[^\p{C}"]{0,62}[^\s\p{C}"])?$/u.test(home)) {
    throw new ProfileError(file, number, 'home', `expected a name of 1 to 64 characters, found "${home.slice(0, 80)}"`);
  }
  const timeMs = parseTime(time);
  if (timeMs === null) {
    const expected = 'expected ISO 8601 such as 2026-01-31T09:15:00+07:00, or unix seconds';
    throw new ProfileError(file, number, 'time', `${expected}, found "${time.slice(0, 80)}"`);
  }
  const energy = (key: string, value: string) => {
    const parsed = parseMicroWh(value);
    if (typeof parsed === 'string') throw new ProfileError(file, number, key, parsed);
    return parsed;
  };
  const net = energy('production_wh', production) - energy('consumption_wh', consumption);
  const row = { line: number, timeMs, importMicro: net < 0n ? -net : 0n, exportMicro: net > 0n ? net : 0n };
  return { home, row };
}

/**
 * Parses a time to ms since 1970; a time without an offset is UTC. Returns null for an impossible time, 30 February
 * included.
 */
function parseTime(text: string): number | null {
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000;
  const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.0{1,9})?)?(Z|([+-])(\d\d):?(\d\d))?$/i.exec(
    text,
  );
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as number[];
  const parts = [year, month, day, hour, minute, second] as [number, number, number, number, number, number];
  const ms = Date.UTC(parts[0], parts[1] - 1, parts[2], parts[3], parts[4], parts[5]);
  const back = new Date(ms);
  // Date.UTC rolls 30 February over into March, so an impossible date differs from its text.
  if (back.getUTCMonth() + 1 !== parts[1] || back.getUTCDate() !== parts[2] || back.getUTCHours() !== parts[3])
    return null;
  if (back.getUTCMinutes() !== parts[4] || back.getUTCSeconds() !== parts[5]) return null;
  const sign = match[8] === '-' ? -1 : 1;
  const offsetMinutes = match[8] ? sign * (Number(match[9]) * 60 + Number(match[10])) : 0;
  if (Math.abs(offsetMinutes) > 18 * 60) return null;
  return ms - offsetMinutes * 60_000;
}

/** Parses an energy in millionths of a watt-hour; returns the fault in words for any other text. */
function parseMicroWh(text: string): bigint | string {
  const match = /^\+?(\d{1,12})(?:\.(\d{0,6})0*)?$/.exec(text);
  if (!match) {
    const hint = text.startsWith('-') ? 'a number of 0 or more' : 'watt-hours with at most 6 decimals';
    return `expected ${hint}, found "${text.slice(0, 80)}"`;
  }
  const micro = BigInt(match[1] ?? '0') * MICRO + BigInt((match[2] ?? '').padEnd(6, '0'));
  if (micro > MAX_INTERVAL_WH * MICRO)
    return `${text} Wh in one interval is above ${MAX_INTERVAL_WH} Wh, is the unit Wh?`;
  return micro;
}

function buildProfile(home: string, rows: Row[], file: string): Profile {
  const [first, second] = rows;
  if (!first || !second) {
    const what = `home "${home}" has one row; two are needed to know the length of an interval`;
    throw new ProfileError(file, first?.line ?? 1, 'time', what);
  }
  const intervalMs = second.timeMs - first.timeMs;
  checkInterval(intervalMs, home, second, file);
  if (first.timeMs % WINDOW_MS !== 0) {
    throw new ProfileError(file, first.line, 'time', `home "${home}" does not start at a quarter of an hour`);
  }
  const importMicroWh = new BigInt64Array(rows.length + 1);
  const exportMicroWh = new BigInt64Array(rows.length + 1);
  let [imported, exported] = [0n, 0n];
  for (const [i, row] of rows.entries()) {
    const expected = first.timeMs + i * intervalMs;
    if (row.timeMs !== expected) {
      const what = `home "${home}": expected ${new Date(expected).toISOString()} (every ${intervalMs / 60_000} minutes, rising, no gap)`;
      throw new ProfileError(file, row.line, 'time', `${what}, found ${new Date(row.timeMs).toISOString()}`);
    }
    imported += row.importMicro;
    exported += row.exportMicro;
    importMicroWh[i + 1] = imported;
    exportMicroWh[i + 1] = exported;
  }
  const windows = Math.floor((rows.length * intervalMs) / WINDOW_MS);
  return { home, startAtMs: first.timeMs, intervalMs, intervals: rows.length, windows, importMicroWh, exportMicroWh };
}

function checkInterval(intervalMs: number, home: string, row: Row, file: string): void {
  if (intervalMs <= 0) throw new ProfileError(file, row.line, 'time', `home "${home}": times must rise`);
  if (WINDOW_MS % intervalMs !== 0 && intervalMs % WINDOW_MS !== 0) {
    const what = `home "${home}": an interval of ${intervalMs / 1000} s neither divides nor is a multiple of 15 minutes`;
    throw new ProfileError(file, row.line, 'time', what);
  }
}

/** Returns the length of a profile, ms. */
export function durationMs(profile: Profile): number {
  return profile.intervals * profile.intervalMs;
}

/**
 * Sums whole intervals and the share of the current interval, exactly, in 1/`intervalMs` of a millionth of a watt-hour.
 */
function scaled(cumulative: BigInt64Array, profile: Profile, positionMs: number): bigint {
  const at = Math.min(Math.max(0, Math.floor(positionMs)), durationMs(profile));
  const index = Math.min(Math.floor(at / profile.intervalMs), profile.intervals - 1);
  const before = cumulative[index] ?? 0n;
  const after = cumulative[index + 1] ?? before;
  return before * BigInt(profile.intervalMs) + (after - before) * BigInt(at - index * profile.intervalMs);
}

/**
 * Returns the energy since the profile's start at `positionMs`; power is constant within an interval. A pure function
 * of the position that never falls: before the start it is 0, after the end it is constant.
 */
export function energyAt(profile: Profile, positionMs: number): Energy {
  const unit = MICRO * BigInt(profile.intervalMs);
  return {
    importWh: scaled(profile.importMicroWh, profile, positionMs) / unit,
    exportWh: scaled(profile.exportMicroWh, profile, positionMs) / unit,
  };
}

/** Returns the rise of the registers after the profile's first `windows` quarters of an hour. */
export function expectedTotals(profile: Profile, windows: number): Energy {
  if (!Number.isInteger(windows) || windows < 0 || windows > profile.windows) {
    throw new RangeError(`home "${profile.home}" has ${profile.windows} windows, asked for ${windows}`);
  }
  return energyAt(profile, windows * WINDOW_MS);
}

/**
 * Returns the power in W while the profile plays at this position, import positive; 0 before its start and from its end
 * on.
 */
export function powerAt(profile: Profile, positionMs: number): number {
  if (positionMs < 0 || positionMs >= durationMs(profile)) return 0;
  const index = Math.floor(positionMs / profile.intervalMs);
  const rise = (cumulative: BigInt64Array) => (cumulative[index + 1] ?? 0n) - (cumulative[index] ?? 0n);
  const net = rise(profile.importMicroWh) - rise(profile.exportMicroWh);
  return Number(net) / 1e6 / (profile.intervalMs / 3_600_000);
}

/**
 * Returns the windows that every home has, and a notice to the user where homes differ (longer ones are cut); else
 * null.
 */
export function commonWindows(profiles: readonly Profile[]): { windows: number; notice: string | null } {
  const counts = profiles.map((profile) => profile.windows);
  const windows = Math.min(...counts);
  if (windows === Math.max(...counts)) return { windows, notice: null };
  const list = profiles.map((profile) => `${profile.home} ${profile.windows}`).join(', ');
  return { windows, notice: `the homes differ in length (windows: ${list}): the first ${windows} windows are played` };
}
