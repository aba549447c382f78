import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex } from '@gridtokenx/protocol';
import { loadProfiles, type Profile } from '@gridtokenx/simulators';
import { Random } from '@gridtokenx/testing-kit/random';
import type { PortRanges } from '../../kill/system.js';

/** Number of homes that are honest from the first window to the last. */
export const NEIGHBOURS = 9;
/**
 * Number of homes that turn hostile one after another: a start takes longer than a seed, so one start serves several
 * seeds.
 */
export const TURNCOATS = 5;
export const HOMES = NEIGHBOURS + TURNCOATS;

/** Above those of the campaign `kill`; meters' ports begin 210 above each range. */
export const PORT_RANGES: PortRanges = { first: 31_000, count: 6, size: 30 };
/** A window is 4.5 seconds: long enough for a fast chain, short enough for several in one seed. */
export const SPEED = 200;
export const WINDOW_MS = 900_000;
/** A past moment at which a window begins; the embedded chain refuses windows of its future. */
const START_MS = 1_700_000_100_000;
/** All homes are away for a week before the profile begins, so that one of them may return with a week of messages. */
export const AWAY_MS = 7 * 86_400_000;
/** Simulated time before the profile in which the homes return. */
const LEAD_MS = 1_800_000;
/** Maximum duration of a start: 40 minutes of real time. */
const WINDOWS = 576;

/**
 * Returns a profile in which a window's last third is at zero power. So the last reading before its end has exactly the
 * window's energy, and each rise on chain can be compared with the profile.
 */
export function profileText(): string {
  const random = new Random(1, 'neighbours');
  const lines = ['home,time,consumption_wh,production_wh'];
  const energy = () => `${random.int(20, 400)}.${random.int(0, 999_999)}`;
  for (let home = 1; home <= HOMES; home++) {
    for (let third = 0; third < WINDOWS * 3; third++) {
      const parts = [`${energy()},0`, `0,${energy()}`, '0,0'];
      lines.push(`home-${home},${START_MS / 1000 + (third * WINDOW_MS) / 3000},${parts[third % 3]}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** First window in which energy flows, after the homes were away. */
export const INITIAL_WINDOW = (START_MS + AWAY_MS) / WINDOW_MS;

/** Returns the clock's file of a stopped start, with the homes' absence inserted before the profile. */
export function clockAfterAbsence(text: string): string {
  const at = START_MS + AWAY_MS - LEAD_MS;
  const segments = [{ simStartMs: START_MS + AWAY_MS, positionStartMs: 0, positionEndMs: WINDOWS * WINDOW_MS }];
  return JSON.stringify({ ...JSON.parse(text), anchorSimMs: at, reservedThroughMs: at, segments });
}

/** Returns the profile of each home by its number, from 1. */
export function profilesIn(path: string): Map<number, Profile> {
  return new Map(loadProfiles(path).map((profile, i) => [i + 1, profile]));
}

/** The keys of a home that turned hostile, from its data folder. */
export interface HomeKeys {
  readonly gatewaySeed: string;
  readonly meterSeed: string;
  readonly meterId: string;
  /** The owner's secret key, 64 bytes. */
  readonly owner: readonly number[];
}

const json = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;

export function keysOf(data: string, home: number): HomeKeys {
  const keys = join(data, `homes/home-${home}/data/keys`);
  return {
    gatewaySeed: json<{ seed: string }>(join(keys, 'gateway.json')).seed,
    meterSeed: json<{ seed: string }>(join(keys, `meter-home-${home}.json`)).seed,
    meterId: meterIdOf(data, home),
    owner: json<number[]>(join(data, `keys/owner-home-${home}.json`)),
  };
}

export function meterIdOf(data: string, home: number): string {
  return json<{ meter_id: string }[]>(join(data, `homes/home-${home}/enrolment.json`))[0]?.meter_id ?? '';
}

/** Returns `network_id` and the broker's name, from the oracle's configuration. */
export function deploymentOf(data: string): { networkId: Uint8Array; broker: string } {
  const text = readFileSync(join(data, 'oracle/config.yaml'), 'utf8');
  const networkId = /^network_id: "?([0-9a-f]{16})"?$/m.exec(text)?.[1] ?? '';
  const broker = /^ {2}name: (\S+)$/m.exec(text)?.[1] ?? '';
  return { networkId: fromHex(networkId), broker };
}
