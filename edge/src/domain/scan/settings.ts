import { type LineSpeed, rawNetworkSpeed, serialSpeed, tcpSpeed } from '../bus/line.js';

/** How a serial line is set. */
export interface SerialSetting {
  readonly transport: 'serial';
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** One way to speak on a line; on a network there is nothing to set. */
export type Setting = SerialSetting | { readonly transport: 'tcp' } | { readonly transport: 'rtu-over-tcp' };

export function speedOf(setting: Setting): LineSpeed {
  if (setting.transport === 'serial') return serialSpeed(setting.baud, setting.parity, setting.stopBits);
  return setting.transport === 'tcp' ? tcpSpeed : rawNetworkSpeed;
}

const LETTERS = { none: 'N', even: 'E', odd: 'O' } as const;

/** As people write it: `9600 8N1`. */
export function settingText(setting: Setting): string {
  if (setting.transport === 'tcp') return 'Modbus TCP';
  if (setting.transport === 'rtu-over-tcp') return 'raw RTU over TCP';
  return `${setting.baud} 8${LETTERS[setting.parity]}${setting.stopBits}`;
}

export const sameSetting = (a: Setting, b: Setting): boolean => settingText(a) === settingText(b);

/** Returns true when a meter that answers at one of the settings needs no second question at the other. */
export function sameSpeed(a: Setting, b: Setting): boolean {
  if (a.transport === 'serial' && b.transport === 'serial') return a.baud === b.baud;
  return a.transport !== 'serial' && b.transport !== 'serial';
}
