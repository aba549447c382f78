import { randomInt } from 'node:crypto';
import { systemClock } from '@gridtokenx/runtime/node';

import { allProfiles } from '../adapters/profiles/files.js';
import type { Target } from '../domain/commissioning/target.js';
import { diagnose, type Finding } from '../domain/doctor/diagnose.js';
import type { ExaminedMeter } from '../domain/doctor/observation.js';
import { examine } from '../domain/doctor/observe.js';
import { defaultsOf } from '../domain/scan/defaults.js';
import { serialPlan } from '../domain/scan/plan.js';
import { type Setting, settingText } from '../domain/scan/settings.js';
import type { BusConfig, GatewayConfig } from '../wiring/config.js';
import { anyUnitsOf } from '../wiring/readers.js';
import { profileOf, StartError } from '../wiring/setup.js';
import { askStatus } from './commands.js';
import { readSunspec } from './doctor-sunspec.js';
import { openLine } from './open-line.js';
import { portUsers } from './port-users.js';

const LOCKED = /is locked/;
/** Settings at which the doctor searches for a silent unit. */
const MAX_SETTINGS = 16;

/**
 * Says in plain words what is wrong with the buses of a configuration and what to do. Asks a running gateway, which has
 * the lines open; else examines every line for some seconds, by reads only. Returns true when all is well.
 */
export async function doctor(config: GatewayConfig, only: string | undefined, signal: AbortSignal): Promise<boolean> {
  const buses = config.buses.filter(({ name }) => only === undefined || name === only);
  if (buses.length === 0)
    throw new StartError(
      `there is no bus "${only}": the configuration has ${config.buses.map(({ name }) => name).join(', ')}`,
    );
  const running = config.http ? await askStatus(config.http).catch(() => null) : null;
  if (running !== null) return sayRunning(running);
  let isWell = true;
  for (const bus of buses) {
    if (signal.aborted) break;
    const findings = await examineBus(config, bus, signal);
    if (findings.length === 0) console.log(`${bus.name}: all is well`);
    for (const { level, where, text } of findings) console.log(`${level === 'note' ? 'note: ' : ''}${where}: ${text}`);
    if (findings.some(({ level }) => level === 'problem')) isWell = false;
  }
  return isWell;
}

async function examineBus(config: GatewayConfig, bus: BusConfig, signal: AbortSignal): Promise<Finding[]> {
  const { target, skipped, ...examined } = examinationOf(config, bus);
  const { setting, meters } = examined;
  const count = meters.length + skipped.length;
  console.error(`${bus.name} (${settingText(setting)}): examining ${count} meters, by reads only`);
  // On a connection of its own nobody else is heard, so there is nothing to observe.
  if (meters.length === 0 && bus.transport === 'tcp') return readSunspec(config, bus, skipped, signal);
  const observation = await examine({
    ...examined,
    open: (at) => openLine(target, at),
    clock: systemClock,
    firstId: randomInt(65_536),
    signal,
  });
  const findings = diagnose(observation);
  if (observation.problem === null) findings.push(...(await readSunspec(config, bus, skipped, signal)));
  return bus.transport === 'serial' ? findings.map((one) => withUsers(one, () => portUsers(bus.path))) : findings;
}

/** Composes what `examine` needs to know of a bus; `skipped` are the SunSpec devices, which it cannot examine. */
export function examinationOf(config: GatewayConfig, bus: BusConfig) {
  const here = config.meters.filter((meter) => meter.bus === bus.name);
  const meters: ExaminedMeter[] = [];
  const skipped: string[] = [];
  for (const meter of here) {
    const profile = profileOf(meter, config.profiles_dir);
    if (profile.protocol === 'modbus') meters.push({ name: meter.name, unit: meter.unit, profile });
    // Only the device itself lists a SunSpec device's registers: the doctor reads it as `run` does.
    else skipped.push(meter.name);
  }
  const waitMs = Math.min(config.request_timeout_ms, 1_000);
  const settings = bus.transport === 'serial' ? likelySettings(config.profiles_dir) : [];
  return { ...placeOf(bus), name: bus.name, meters, skipped, waitMs, settings, anyUnits: anyUnitsOf(config, bus) };
}

/** Adds to the finding of a locked port the names of the programs that have it open. */
export function withUsers(finding: Finding, users: () => readonly string[]): Finding {
  const names = LOCKED.test(finding.text) ? users() : [];
  return names.length > 0 ? { ...finding, text: `${finding.text}: ${names.join(', ')}. Stop it first` } : finding;
}

function likelySettings(own: string | undefined): Setting[] {
  const plan = serialPlan(defaultsOf(allProfiles(own).profiles));
  return plan.slice(0, MAX_SETTINGS).map(({ setting }) => setting);
}

function placeOf(bus: BusConfig): { target: Target; setting: Setting } {
  if (bus.transport === 'serial') {
    const { path, baud, parity, stop_bits: stopBits } = bus;
    return { target: { kind: 'serial', path }, setting: { transport: 'serial', baud, parity, stopBits } };
  }
  const { host, port, transport } = bus;
  return { target: { kind: 'network', host, port }, setting: { transport } };
}

/** Prints the problems that a running gateway states. Returns true when there are none. */
function sayRunning(status: unknown): boolean {
  const { problems, meters } = status as { problems?: unknown; meters?: unknown };
  const list = Array.isArray(problems) ? problems.map(String) : [];
  for (const text of notesOf(meters)) console.log(`note: ${text}`);
  console.log(list.length === 0 ? 'the gateway runs, and all is well' : 'the gateway runs, and states:');
  for (const text of list) console.log(text);
  return list.length === 0;
}

/** Returns the notes of a running gateway's meters, each with the meter's name. */
function notesOf(meters: unknown): string[] {
  if (!Array.isArray(meters)) return [];
  return (meters as { name?: unknown; notes?: unknown }[]).flatMap(({ name, notes }) =>
    Array.isArray(notes) ? notes.map((text) => `meter ${name}: ${text}`) : [],
  );
}
