import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { systemClock } from '@gridtokenx/runtime/node';

import { loadProfiles } from '../adapters/profiles/files.js';
import type { Target } from '../domain/commissioning/target.js';
import { diagnose, type Finding } from '../domain/doctor/diagnose.js';
import { examine } from '../domain/doctor/observe.js';
import { defaultsOf } from '../domain/scan/defaults.js';
import { serialPlan } from '../domain/scan/plan.js';
import { type Setting, settingText } from '../domain/scan/settings.js';
import type { BusConfig, GatewayConfig } from '../wiring/config.js';
import { profileOf, StartError } from '../wiring/setup.js';
import { askStatus } from './commands.js';
import { openLine } from './open-line.js';

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
  const { target, setting } = placeOf(bus);
  const here = config.meters.filter((meter) => meter.bus === bus.name);
  const meters = here.flatMap((meter) => {
    const profile = profileOf(meter);
    // Only the device itself lists a SunSpec device's registers: `run` reports its state.
    return profile.protocol === 'modbus' ? [{ name: meter.name, unit: meter.unit, profile }] : [];
  });
  for (const { name } of here)
    if (!meters.some((meter) => meter.name === name))
      console.log(`note: doctor does not examine ${name}, a SunSpec device`);
  console.error(`${bus.name} (${settingText(setting)}): examining ${meters.length} meters, by reads only`);
  const observation = await examine({
    name: bus.name,
    setting,
    meters,
    open: (at) => openLine(target, at),
    clock: systemClock,
    firstId: randomInt(65_536),
    waitMs: Math.min(config.request_timeout_ms, 1_000),
    settings: bus.transport === 'serial' ? likelySettings() : [],
    signal,
  });
  const findings = diagnose(observation);
  return findings.map((finding) =>
    bus.transport === 'serial' && LOCKED.test(finding.text)
      ? { ...finding, text: `${finding.text}${usersText(bus.path)}` }
      : finding,
  );
}

function likelySettings(): Setting[] {
  const plan = serialPlan(defaultsOf([...loadProfiles().values()]));
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
  const { problems } = status as { problems?: unknown };
  const list = Array.isArray(problems) ? problems.map(String) : [];
  console.log(list.length === 0 ? 'the gateway runs, and all is well' : 'the gateway runs, and states:');
  for (const text of list) console.log(text);
  return list.length === 0;
}

/** Names the programs that have a port open, as far as this user may see. */
function usersText(path: string): string {
  try {
    const device = realpathSync(path);
    const names = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) && holds(pid, device) ? [nameOf(pid)] : []));
    return names.length > 0 ? `: ${[...new Set(names)].join(', ')}. Stop it first` : '';
  } catch {
    // This system is not Linux, or the port is gone.
    return '';
  }
}

function holds(pid: string, device: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === device);
  } catch {
    return false;
  }
}

function nameOf(pid: string): string {
  try {
    return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (process ${pid})`;
  } catch {
    return `process ${pid}`;
  }
}
