import { named, num, str } from './fields.js';
import type { Snapshot } from './read.js';

const ACTIVE = 1n;
const SUSPENDED = 2n;

/**
 * Finds devices that are more than one meter. Where two zones have a device in force with one key, each of its
 * statements would be minted twice.
 */
export function auditDevices({ accounts }: Snapshot): string[] {
  const zones = new Map<string, bigint>();
  const findings: string[] = [];
  for (const { value } of named(accounts.registry, 'Meter')) {
    const status = num(value, 'status');
    if (status !== ACTIVE && status !== SUSPENDED) continue;
    const [id, zone] = [str(value, 'meter_id'), num(value, 'zone')];
    const device = `${id}/${str(value, 'device_key')}`;
    const other = zones.get(device);
    if (other === undefined) {
      zones.set(device, zone);
      continue;
    }
    const [first, second] = other < zone ? [other, zone] : [zone, other];
    findings.push(`meter ${id}: one device speaks in two zones, ${first} and ${second}`);
  }
  return findings;
}
