import { systemClock } from '@gridtokenx/runtime/node';
import { serialLine, socketLine } from '../adapters/modbus/lines.js';
import type { Line } from '../domain/bus/ports.js';
import type { Target } from '../domain/commissioning/target.js';
import type { Setting } from '../domain/scan/settings.js';

const CONNECT_MS = 3_000;

/** Opens a port at a setting, or an address. Rejects with the system's error, or when it takes too long. */
export function openLine(target: Target, setting: Setting): Promise<Line> {
  const opening = openerOf(target, setting)();
  return new Promise((resolve, reject) => {
    let isOver = false;
    const cancel = systemClock.after(CONNECT_MS, () => {
      isOver = true;
      reject(new Error('no connection in time: is the address right?'));
    });
    opening
      .then((line) => {
        // Closes a line that opens after the deadline.
        if (isOver) void line.close();
        else resolve(line);
      }, reject)
      .finally(cancel);
  });
}

function openerOf(target: Target, setting: Setting) {
  if (target.kind === 'network') return socketLine(target.host, target.port);
  if (setting.transport !== 'serial') throw new Error('a serial port has serial settings');
  const { baud, parity, stopBits } = setting;
  return serialLine({ path: target.path, baud, parity, stopBits });
}
