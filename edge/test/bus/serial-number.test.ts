import { describe, expect, test } from 'vitest';
import { serialReader } from '../../src/adapters/modbus/serial-number.js';
import { loadProfile } from '../../src/adapters/profiles/files.js';
import type { Bus } from '../../src/domain/bus/bus.js';
import type { LineCost } from '../../src/planner/plan.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';

const COST: LineCost = { charTimeUs: 1_042, turnaroundUs: 10_000, pauseUs: 0, transport: 'rtu' };

/** A bus whose meter shows the same number in each register. */
const busOf = (register: number) =>
  ({
    read: async (_unit: number, _function: number, [first]: { address: number; count: number }[]) => {
      const { address = 0, count = 0 } = first ?? {};
      const data = Buffer.alloc(2 * count);
      for (let at = 0; at < data.length; at += 2) data.writeUInt16BE(register, at);
      return { address, data };
    },
  }) as unknown as Bus;

describe('a serial number as a number', () => {
  test.each(['eastron-sdm630', 'abb-b2x'])(
    'is none while a meter that wakes up shows zeros or ones (%s)',
    async (id) => {
      const profile = loadProfile(id) as ModbusProfile;
      const shown = (register: number) => serialReader(busOf(register), 1, profile, COST, 10_000)?.();
      expect(await shown(0)).toBeNull();
      expect(await shown(0xffff)).toBeNull();
      expect(await shown(1)).toBe('65537');
    },
  );
});
