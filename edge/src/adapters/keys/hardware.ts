import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';

/** Sources of a machine's identity, the best first. A machine-id is none of them: it lies on the card. */
export const HARDWARE_SOURCES = ['board serial', 'cpu serial', 'network address'] as const;
export type HardwareSource = (typeof HARDWARE_SOURCES)[number];

/** A number that belongs to this machine's hardware. */
export interface HardwareNumber {
  readonly source: HardwareSource;
  readonly value: string;
}

/** Reads the system's files; each returns null, or an empty list, where there is none or it may not be read. */
export interface SystemFiles {
  text(path: string): string | null;
  names(path: string): readonly string[];
  /** Returns the path without symbolic links. */
  real(path: string): string | null;
}

/** Numbers that makers leave in place of a serial number. */
const PLACEHOLDER = /^(0*|f*|none|n\/?a|unknown|default string|to be filled by o\.?e\.?m\.?|not specified|0123456789)$/;

/** Lists the numbers of this machine's hardware, the best source first; empty where it shows none. */
export function readHardware(files: SystemFiles = systemFiles): readonly HardwareNumber[] {
  const found: HardwareNumber[] = [];
  const add = (source: HardwareSource, text: string | null | undefined) => {
    const value = (text ?? '').replaceAll('\0', '').trim().toLowerCase();
    if (!PLACEHOLDER.test(value)) found.push({ source, value });
  };
  add('board serial', files.text('/proc/device-tree/serial-number'));
  add('cpu serial', /^Serial\s*:\s*(\S+)$/m.exec(files.text('/proc/cpuinfo') ?? '')?.[1]);
  for (const address of networkAddresses(files)) add('network address', address);
  return found;
}

/** Lists the permanent addresses of physical interfaces; those of USB last, because they are plugged in. */
function networkAddresses(files: SystemFiles): string[] {
  const root = '/sys/class/net';
  const physical = [...files.names(root)].sort().flatMap((name) => {
    const device = files.real(`${root}/${name}/device`);
    const isPermanent = files.text(`${root}/${name}/addr_assign_type`)?.trim() === '0';
    const address = files.text(`${root}/${name}/address`)?.trim();
    const isAddress =
      address !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(address) && !/^(00:){5}00$/.test(address);
    return device !== null && isPermanent && isAddress ? [{ address, isUsb: device.includes('/usb') }] : [];
  });
  return physical.sort((a, b) => Number(a.isUsb) - Number(b.isUsb)).map(({ address }) => address);
}

const orNull = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch {
    return null;
  }
};

const systemFiles: SystemFiles = {
  text: (path) => orNull(() => (existsSync(path) ? readFileSync(path, 'utf8') : null)),
  names: (path) => orNull(() => readdirSync(path)) ?? [],
  real: (path) => orNull(() => realpathSync(path)),
};
