import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { ProfileReader } from '../../src/adapters/modbus/reader.js';
import { loadProfile } from '../../src/adapters/profiles/files.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { serialSpeed } from '../../src/domain/bus/line.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import type { SerialSetting } from '../../src/domain/scan/settings.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';
import { profileMeter } from '../support/profile-meter.js';
import { ScanLine } from '../support/scan-line.js';

const SETTING: SerialSetting = { transport: 'serial', baud: 9_600, parity: 'none', stopBits: 1 };
const PERIOD_MS = 60_000;

describe('a meter whose import and export are two reads of one length', () => {
  // The first two profiles have no other length for either half; the third has.
  test.each([
    ['carlo-gavazzi-em24-rs485', 1_234_600n],
    ['dzg-dvh4013', 1_234_560n],
    ['carlo-gavazzi-ex3x0', 1_234_600n],
  ])('%s is read from the first poll on, both within a time-out', async (id, importWh) => {
    const clock = new VirtualClock({ startAtMs: 0 });
    const line = new ScanLine(clock, [{ unit: 1, setting: SETTING, meter: profileMeter(id) }]);
    const bus = new Bus({
      log: quietLog,
      quarantine: new ReplyQuarantine(USUAL_RULES),
      name: 'line',
      open: () => line.open(SETTING),
      makeClient,
      clock: clock,
      random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
      speed: serialSpeed(9_600, 'none', 1),
      shapes: true,
      makeFraming: (quarantine) => new RtuFraming(quarantine),
      requestMs: 1_000,
      connectMs: 1_000,
      minTimeoutMs: 50,
      restMs: 0,
    });
    const reader = new ProfileReader({
      bus,
      unit: 1,
      profile: loadProfile(id) as ModbusProfile,
      needs: { import: true, export: true },
      readingClock: new VirtualClock().reading,
      clock: clock,
      periodMs: PERIOD_MS,
      cost: { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' },
    });
    for (let poll = 0; poll < 12; poll++) {
      const startAtMs = clock.monotonicMs();
      line.requests.length = 0;
      const sample = await clock.run(reader.read());
      expect(sample.importWh).toBe(importWh);
      expect(clock.monotonicMs() - startAtMs).toBeLessThan(poll === 0 ? 2_500 : 2_000);
      await clock.run(
        new Promise<void>((resolve) => void clock.after(startAtMs + PERIOD_MS - clock.monotonicMs(), resolve)),
      );
    }
    void bus.close();
  });
});
