import { describe, expect, test } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { defaultsOf } from '../../src/domain/scan/defaults.js';
import { serialPlan } from '../../src/domain/scan/plan.js';
import { type Found, newState, Scan, type ScanOptions, type ScanState } from '../../src/domain/scan/scan.js';
import type { SerialSetting } from '../../src/domain/scan/settings.js';
import { settingText } from '../../src/domain/scan/settings.js';
import { EventClock } from '../support/event-clock.js';
import { profileMeter } from '../support/profile-meter.js';
import { type LineMeter, ScanLine } from '../support/scan-line.js';

const profiles = [...loadProfiles().values()];
const models = loadSunspecModels();
const stages = serialPlan(defaultsOf(profiles));
const serial = (baud: number, parity: SerialSetting['parity'] = 'none'): SerialSetting => ({
  transport: 'serial',
  baud,
  parity,
  stopBits: 1,
});

function setUp(meters: readonly LineMeter[], more: Partial<ScanOptions> = {}, state?: ScanState) {
  const clock = new EventClock();
  const line = new ScanLine(clock, meters);
  const notes: string[] = [];
  const options: ScanOptions = {
    stages,
    profiles,
    models,
    open: line.open,
    real: clock,
    firstId: 1,
    signal: new AbortController().signal,
    onFound: () => {},
    onNote: (text) => notes.push(text),
    onProgress: () => {},
    onState: () => {},
    ...more,
  };
  const scan = new Scan(options, state);
  return { clock, line, notes, scan, run: () => clock.run(scan.run()) };
}

const summary = ({ unit, setting, fits }: Found) =>
  `${unit} ${settingText(setting)} ${fits.map(({ profile }) => profile)}`;

describe('a scan', () => {
  const five: LineMeter[] = [
    { unit: 1, setting: serial(9_600, 'even'), meter: profileMeter('abb-b2x') },
    { unit: 7, setting: serial(2_400), meter: profileMeter('dzg-dvh4013'), turnaroundMs: 60 },
    { unit: 42, setting: serial(19_200), meter: profileMeter('chint-dtsu666-a') },
    { unit: 113, setting: serial(38_400), meter: profileMeter('carlo-gavazzi-em24-rs485'), turnaroundMs: 35 },
    { unit: 247, setting: serial(4_800), meter: profileMeter('orno-or-we-525'), turnaroundMs: 30 },
  ];

  test('finds five unknown meters of different speeds and units in 180 s, the first in 60 s, by reads only', async () => {
    const { run, line } = setUp(five, { expect: 5 });
    const { found } = await run();
    expect(found.map(summary).sort()).toEqual([
      '1 9600 8E1 abb-b2x',
      '113 38400 8N1 carlo-gavazzi-em24-rs485',
      '247 4800 8N1 orno-or-we-525',
      '42 19200 8N1 chint-dtsu666-a',
      '7 2400 8N1 dzg-dvh4013',
    ]);
    const times = found.map(({ afterMs }) => afterMs);
    expect(Math.min(...times)).toBeLessThan(60_000);
    expect(Math.max(...times)).toBeLessThan(180_000);
    expect(line.writes).toBe(0);
  });
});
