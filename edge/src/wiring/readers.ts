import { Role } from '@gridtokenx/protocol';
import { type Clock, type Logger, OperatorError, silentLogger } from '@gridtokenx/runtime/core';
import { systemRandom } from '@gridtokenx/runtime/node';
import type { KeptFrame } from '../adapters/frames/line.js';
import { type BusAddress, busAt } from '../adapters/modbus/open.js';
import { type LineReader, ProfileReader, type ReaderOptions } from '../adapters/modbus/reader.js';
import { probeReader, serialReader } from '../adapters/modbus/serial-number.js';
import { SunspecReader } from '../adapters/modbus/sunspec-reader.js';
import { findProfile, loadSunspecModels, profileIds } from '../adapters/profiles/files.js';

import type { Bus } from '../domain/bus/bus.js';
import { ReplyQuarantine, USUAL_RULES } from '../domain/bus/reply-quarantine.js';
import type { BusStats } from '../domain/bus/stats.js';

import { charTimeUs, type LineCost } from '../planner/plan.js';
import { polledRegisters } from '../planner/wanted.js';
import type { Bills, MeterProfile } from '../profiles/profile.js';
import { sunspecBills } from '../profiles/sunspec.js';
import type { BusConfig, GatewayConfig, MeterConfig } from './config.js';
import { StartError } from './start-error.js';

/** Lower bound of a line's time-out, ms: no adapter has less jitter. Profiles may raise it. */
const MIN_TIMEOUT_MS = 20;
const CONNECT_MS = 3_000;

/**
 * Returns the directions that a meter must count. An inverter counts only its feed-in, which is enough for a production
 * meter.
 */
export function needsOf({ role }: Pick<MeterConfig, 'role'>): Bills {
  return { import: role !== Role.production, export: true };
}

/** Loads a profile by its id; throws as `findProfile` does. */
export type FindProfile = typeof findProfile;

/** Returns `findProfile` that loads each profile once: meters of one profile then share it, and its memory. */
export function sharedProfiles(): FindProfile {
  const known = new Map<string, MeterProfile>();
  return (id, own) => {
    const profile = known.get(id) ?? findProfile(id, own);
    known.set(id, profile);
    return profile;
  };
}

/**
 * Loads the profile of a meter, shipped or in the user's folder. Throws `ProfileError`, and `StartError` for a profile
 * whose readings could not be billed.
 */
export function profileOf(meter: MeterConfig, own?: string, find: FindProfile = findProfile): MeterProfile {
  const profile = find(meter.profile, own);
  const bills = profile.protocol === 'modbus' ? profile.bills : sunspecBills(profile);
  const needs = needsOf(meter);
  const missing = (['import', 'export'] as const).filter((key) => needs[key] && !bills[key]);
  if (missing.length > 0) {
    const advice = bills.export ? '; it can only be a production meter (role: production)' : '';
    throw new StartError(
      `meter ${meter.name}: ${profile.id} has no register for ${missing.join(' and ')}, so it cannot be billed${advice}`,
    );
  }
  return profile;
}

/** Throws for the first meter without a usable profile, as `profileOf` does: nothing is started then. */
export function checkProfiles(config: GatewayConfig): void {
  const find = sharedProfiles();
  for (const meter of config.meters) profileOf(meter, config.profiles_dir, find);
}

/** Throws as `checkProfiles` does where no meter would run, and for a profile that cannot be billed. */
export function checkSomeProfile(config: GatewayConfig): void {
  const { meters, profiles_dir: own } = config;
  const usable = meters.filter((meter) => ownProfileFault(meter, own) === null);
  checkProfiles(usable.length > 0 ? { ...config, meters: usable } : config);
}

/** Says why the profile of a meter in the user's folder cannot be read; null for one that can, and for a shipped one. */
export function ownProfileFault(meter: MeterConfig, own?: string): string | null {
  if (own === undefined || profileIds().includes(meter.profile)) return null;
  try {
    findProfile(meter.profile, own);
    return null;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return error.message;
  }
}

/** Builds the buses of a configuration, by name. Opens nothing before the first read. */
export function openBuses(
  config: GatewayConfig,
  clock: Clock,
  more: {
    stats?: (bus: string) => BusStats;
    giveUp?: (reason: string) => void;
    keep?: (frame: KeptFrame) => void;
    log?: Logger;
  } = {},
): Map<string, Bus> {
  return new Map(
    config.buses.map((bus) => {
      const opened = busAt({
        name: bus.name,
        address: addressOf(bus),
        clock,
        random: systemRandom,
        log: more.log ?? silentLogger,
        requestMs: config.request_timeout_ms,
        connectMs: CONNECT_MS,
        quarantine: new ReplyQuarantine(USUAL_RULES),
        timeoutMinMs: MIN_TIMEOUT_MS,
        anyUnits: anyUnitsOf(config, bus),
        ...(bus.rest_at_start_ms === undefined ? {} : { restMs: bus.rest_at_start_ms }),
        ...(more.stats ? { stats: more.stats(bus.name) } : {}),
        ...(more.giveUp ? { giveUp: more.giveUp } : {}),
        onAnswer: ({ unit, fn, address }, frame) =>
          more.keep?.({ timeMs: clock.nowMs(), bus: bus.name, unit, function: fn, address, frame }),
      });
      return [bus.name, opened];
    }),
  );
}

/** Returns the units of a bus that answer under another unit. */
export function anyUnitsOf({ meters }: GatewayConfig, { name }: BusConfig): ReadonlySet<number> {
  return new Set(meters.filter((meter) => meter.bus === name && meter.any_unit).map(({ unit }) => unit));
}

/** Closes every line; resolves when all of them may be opened again. */
export async function closeBuses(buses: ReadonlyMap<string, Pick<Bus, 'close'>>): Promise<void> {
  await Promise.all([...buses.values()].map((bus) => bus.close()));
}

/** Returns the address of a bus in the configuration. */
export function addressOf(bus: BusConfig): BusAddress {
  switch (bus.transport) {
    case 'tcp':
      return { transport: 'tcp', host: bus.host, port: bus.port, converter: bus.converter };
    case 'rtu-over-tcp':
      return { transport: 'rtu-over-tcp', host: bus.host, port: bus.port };
    case 'serial':
      return { transport: 'serial', path: bus.path, baud: bus.baud, parity: bus.parity, stopBits: bus.stop_bits };
  }
}

/** Assumed turnaround before the first measurement. */
const TURNAROUND_US = 50_000;
/** Nearly free: a character on a network. */
const NETWORK_CHAR_US = 1;

function costOf(bus: BusConfig | undefined, pauseMs: number): LineCost {
  const isSerial = bus?.transport === 'serial';
  return {
    charTimeUs: isSerial ? charTimeUs(bus.baud, bus.parity, bus.stop_bits) : NETWORK_CHAR_US,
    turnaroundUs: TURNAROUND_US,
    pauseUs: 1_000 * pauseMs,
    transport: bus?.transport === 'tcp' ? 'tcp' : 'rtu',
  };
}

/** Reads one meter on its line. */
export interface MeterLine {
  readonly reader: LineReader;
  /** Reads the serial number; undefined where the meter's profile has no register for it. */
  readonly readSerial: (() => Promise<string | null>) | undefined;
  /** Reads the probe's registers that no poll reads; undefined where there are none. */
  readonly readProbe: (() => Promise<readonly string[]>) | undefined;
  /** Resolves with the checks of the profile's probe that fail; undefined for a device that lists its own registers. */
  readonly checkProbe: (() => Promise<readonly string[]>) | undefined;
  /** Manufacturer and models of its profile. */
  readonly profileName: string;
}

/** Builds the reader of a meter from its profile. `find`: see `sharedProfiles`. Throws `StartError`. */
export function lineOf(
  config: GatewayConfig,
  meter: MeterConfig,
  ports: Pick<ReaderOptions, 'readingClock' | 'clock'> & { readonly buses: ReadonlyMap<string, Bus> },
  find: FindProfile = findProfile,
): MeterLine {
  const bus = ports.buses.get(meter.bus);
  if (!bus) throw new StartError(`there is no bus "${meter.bus}"`);
  const line = config.buses.find(({ name }) => name === meter.bus);
  return lineBy(profileOf(meter, config.profiles_dir, find), meter, line, { ...ports, bus });
}

/** Builds the reader of a meter by a profile, on a bus that is open. */
export function lineBy(
  profile: MeterProfile,
  meter: Pick<MeterConfig, 'unit' | 'role' | 'poll_seconds'>,
  line: BusConfig | undefined,
  ports: Pick<ReaderOptions, 'readingClock' | 'clock'> & { readonly bus: Bus },
): MeterLine {
  const { unit } = meter;
  const { bus } = ports;
  const cost = costOf(line, profile.limits.pauseMs);
  const periodMs = 1_000 * meter.poll_seconds;
  const { readingClock, clock } = ports;
  const options = { bus, unit, needs: needsOf(meter), readingClock, clock, periodMs, cost };
  const profileName = `${profile.manufacturer} ${profile.models.join(', ')}`;
  if (profile.protocol === 'sunspec') {
    const reader = new SunspecReader({ ...options, profile, known: loadSunspecModels() });
    return { reader, readSerial: () => reader.serial(), readProbe: undefined, checkProbe: undefined, profileName };
  }
  const polled = new Set(polledRegisters(profile).map(({ key }) => key));
  const probe = profile.probe.filter(({ register }) => polled.has(register));
  const reader = new ProfileReader({ ...options, profile, probe });
  const readSerial = serialReader(bus, unit, profile, cost, periodMs);
  const checkProbe = probeReader(bus, unit, profile, cost, periodMs);
  const readProbe = probe.length < profile.probe.length ? checkProbe : undefined;
  return { reader, readSerial, readProbe, checkProbe, profileName };
}
