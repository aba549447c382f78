import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { ProfileReader } from '../../src/adapters/modbus/reader.js';
import { loadProfile } from '../../src/adapters/profiles/files.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { serialSpeed } from '../../src/domain/bus/line.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { type MeterSample, ReadError } from '../../src/domain/ports.js';
import type { SerialSetting } from '../../src/domain/scan/settings.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';
import type { FakeMeter } from './profile-meter.js';
import { ScanLine } from './scan-line.js';

export const SETTING: SerialSetting = { transport: 'serial', baud: 9_600, parity: 'none', stopBits: 1 };

/** Reads one meter by the gateway's own bus and reader, on a line of the test and a virtual clock. */
export class LineReader {
  readonly clock = new VirtualClock({ startAtMs: 0 });
  readonly line: ScanLine;
  readonly #reader: ProfileReader;
  readonly #periodMs: number;
  readonly samples: MeterSample[] = [];
  readonly failures: string[] = [];

  constructor(profileId: string, meter: FakeMeter, periodMs: number) {
    const { clock } = this;
    this.#periodMs = periodMs;
    this.line = new ScanLine(clock, [{ unit: 1, setting: SETTING, meter }]);
    const bus = new Bus({
      ...{ log: quietLog, quarantine: new ReplyQuarantine(USUAL_RULES), name: 'line', makeClient, clock },
      open: () => this.line.open(SETTING),
      random: { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 },
      ...{ speed: serialSpeed(9_600, 'none', 1), shapes: true, requestMs: 1_000, connectMs: 1_000 },
      ...{ minTimeoutMs: 50, restMs: 0, makeFraming: (quarantine: ReplyQuarantine) => new RtuFraming(quarantine) },
    });
    this.#reader = new ProfileReader({
      ...{ bus, unit: 1, profile: loadProfile(profileId) as ModbusProfile, needs: { import: true, export: true } },
      ...{ readingClock: clock.reading, clock, periodMs },
      cost: { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' },
    });
  }

  /** Polls so many times, once in each period. */
  async poll(times: number): Promise<void> {
    for (let poll = 0; poll < times; poll++) {
      const startAtMs = this.clock.monotonicMs();
      await this.clock.run(
        this.#reader.read().then(
          (sample) => void this.samples.push(sample),
          (error: unknown) => {
            if (!(error instanceof ReadError)) throw error;
            this.failures.push(error.message);
          },
        ),
      );
      await this.clock.advance(Math.max(0, startAtMs + this.#periodMs - this.clock.monotonicMs()));
    }
  }
}
