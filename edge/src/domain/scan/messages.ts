import type { Spoken } from './prober.js';
import { type Setting, settingText } from './settings.js';

/** Why a scan cannot go on; the message says what to do. What was found until then is kept. */
export class ScanStopped extends Error {
  override readonly name = 'ScanStopped';
}

const list = (units: readonly number[]) => [...new Set(units)].sort((a, b) => a - b).join(', ');

export function foreignText(spoken: readonly Spoken[], setting: Setting): string {
  const units = spoken.filter(({ how }) => how === 'foreign').map(({ unit }) => unit);
  const who = units.length > 0 ? ` (unit ${list(units)} at ${settingText(setting)})` : '';
  return `another device polls meters on this line${who}, often an inverter or another gateway. Nothing distinguishes answers to that device from answers to the gateway. Take the device off the line, then try again: a scan continues where it stopped`;
}

export const NOISE_TEXT =
  'the line carries bytes that are no Modbus at any common speed: noise, two devices that send at once, or a line that is not RS-485. Check the wires A and B, the end resistors and the shield';

export const NEVER_SILENT_TEXT =
  'the line is never silent, so the gateway cannot send a request. Check the wires A and B (swapped wires read as noise on some adapters) and the end resistors, and look for a device that sends all the time';

export const ECHO_TEXT =
  'the adapter hears itself (echo): every request comes back. The gateway skips the echo, which does no harm; many adapters have a switch for it';

export function damagedText(unit: number, setting: Setting): string {
  return `unit ${unit} at ${settingText(setting)}: its answers are damaged: two meters with this unit number, a bad line, or another parity. Disconnect one meter after another and scan again`;
}

export const EVERY_UNIT_TEXT =
  'the device answers to every unit number: it is one device, taken as the first unit that was asked';

export const NOTHING_TEXT =
  'the scan found no meter. Are the wires A and B swapped (try the other way round), is the meter on, is its Modbus port enabled and of the RS-485 kind?';

export const NOTHING_THERE_TEXT =
  'no device at this address answers as a meter. Is it a converter that carries raw RTU frames? Then add --raw. Are speed and parity of its serial side those of the meters?';
