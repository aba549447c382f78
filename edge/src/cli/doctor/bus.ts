import { randomInt } from 'node:crypto';
import { systemClock } from '@gridtokenx/runtime/node';
import { allProfiles } from '../../adapters/profiles/files.js';
import type { Target } from '../../domain/commissioning/target.js';
import { diagnose, type Finding } from '../../domain/doctor/diagnose.js';
import type { ExaminedMeter } from '../../domain/doctor/observation.js';
import { examine } from '../../domain/doctor/observe.js';
import { defaultsOf } from '../../domain/scan/defaults.js';
import { serialPlan } from '../../domain/scan/plan.js';
import { type Setting, settingText } from '../../domain/scan/settings.js';
import type { BusConfig, GatewayConfig, MeterConfig } from '../../wiring/config.js';
import { anyUnitsOf, profileOf } from '../../wiring/readers.js';
import { readSunspec } from '../doctor-sunspec.js';
import { openLine } from '../open-line.js';
import { portUsers } from '../port-users.js';
import { type Check, type DoctorPorts, unseen, well } from './check.js';

const LOCKED = /is locked/;
/** Settings at which the doctor searches for a silent unit. */
const MAX_SETTINGS = 16;

/** Examines a bus for some seconds, by reads only; then reads each SunSpec device on it as a poll does. */
export async function checkBus(
  config: GatewayConfig,
  bus: BusConfig,
  ports: DoctorPorts,
  signal: AbortSignal,
): Promise<Check[]> {
  const where = `bus ${bus.name}`;
  if (signal.aborted) return [unseen(where, 'stopped')];
  const { target, sunspec, ...examined } = examinationOf(config, bus);
  const { setting, meters } = examined;
  console.error(
    `${bus.name} (${settingText(setting)}): examining ${meters.length + sunspec.length} meters, by reads only`,
  );
  // On a connection of its own nobody else is heard, so there is nothing to observe.
  if (meters.length === 0 && bus.transport === 'tcp') return checkSunspec(config, bus, sunspec, signal);
  const observation = await examine({
    ...examined,
    open: (at) => openLine(target, at),
    clock: systemClock,
    firstId: randomInt(65_536),
    signal,
    ...(ports.times ? { times: ports.times } : {}),
  });
  const found = diagnose(observation).map((one) =>
    bus.transport === 'serial' ? withUsers(one, () => portUsers(bus.path)) : one,
  );
  const checks: Check[] = found.map((one) => ({ ...one, where: `bus ${one.where}` }));
  if (signal.aborted) return [...checks, unseen(where, 'stopped before the end')];
  const isLost = found.some(({ level, where: place }) => level === 'problem' && place === bus.name);
  if (found.every(({ level }) => level === 'note') && meters.length > 0)
    checks.push(well(where, `${meters.map(({ name }) => name).join(', ')} answer by their profiles`));
  if (!isLost) return [...checks, ...(await checkSunspec(config, { ...bus, rest_at_start_ms: 0 }, sunspec, signal))];
  for (const { name } of sunspec) checks.push(unseen(`${where}, ${name}`, 'the line has a problem'));
  return checks;
}

/** Reads SunSpec devices as `run` does. */
async function checkSunspec(
  config: GatewayConfig,
  bus: BusConfig,
  meters: readonly MeterConfig[],
  signal: AbortSignal,
): Promise<Check[]> {
  const names = meters.map(({ name }) => name);
  const found = (await readSunspec(config, bus, names, signal)).map((one) => ({ ...one, where: `bus ${one.where}` }));
  return meters.flatMap((meter): Check[] => {
    const where = `bus ${bus.name}, unit ${meter.unit} (${meter.name})`;
    const own = found.filter((one) => one.where === where);
    if (own.some(({ level }) => level === 'problem')) return own;
    return [...own, signal.aborted ? unseen(where, 'stopped') : well(where, 'SunSpec, answers by its own list')];
  });
}

/** Composes what `examine` needs to know of a bus; `sunspec`: the devices that list their registers themselves. */
export function examinationOf(config: GatewayConfig, bus: BusConfig) {
  const here = config.meters.filter((meter) => meter.bus === bus.name);
  const meters: ExaminedMeter[] = [];
  const sunspec: MeterConfig[] = [];
  for (const meter of here) {
    const profile = profileOf(meter, config.profiles_dir);
    if (profile.protocol === 'modbus') meters.push({ name: meter.name, unit: meter.unit, profile });
    else sunspec.push(meter);
  }
  const waitMs = Math.min(config.request_timeout_ms, 1_000);
  const settings = bus.transport === 'serial' ? likelySettings(config.profiles_dir) : [];
  return { ...placeOf(bus), name: bus.name, meters, sunspec, waitMs, settings, anyUnits: anyUnitsOf(config, bus) };
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
