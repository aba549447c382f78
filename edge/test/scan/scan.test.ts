import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { withCrc } from '../../src/domain/bus/crc.js';
import { requestFrame } from '../../src/domain/bus/frames.js';
import { defaultsOf } from '../../src/domain/scan/defaults.js';
import { serialPlan } from '../../src/domain/scan/plan.js';
import { Scan } from '../../src/domain/scan/scan.js';
import type { SerialSetting } from '../../src/domain/scan/settings.js';
import { settingText } from '../../src/domain/scan/settings.js';
import type { Found, ScanOptions, ScanState } from '../../src/domain/scan/state.js';
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
  const clock = new VirtualClock({ startAtMs: 0 });
  const line = new ScanLine(clock, meters);
  const notes: string[] = [];
  const options: ScanOptions = {
    stages,
    profiles,
    models,
    open: line.open,
    clock: clock,
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

  test('says so when several profiles fit, and does not ask again what it knows', async () => {
    const { run, line } = setUp([{ unit: 3, setting: serial(2_400), meter: profileMeter('eastron-sdm230') }], {
      expect: 1,
    });
    const { found } = await run();
    expect(found[0]?.fits.map(({ profile }) => profile)).toEqual(
      expect.arrayContaining(['eastron-sdm120', 'eastron-sdm220', 'eastron-sdm230']),
    );
    const here = line.requests.filter(({ setting }) => settingText(setting) === '2400 8N1');
    const reads = here.filter(({ frame }) => frame[0] === 3).map(({ frame }) => frame.subarray(1, 6).join());
    expect(new Set(reads).size).toBeGreaterThan(reads.length - 3);
  });

  test('does not give a profile up because a long read stays without an answer', async () => {
    const whole = profileMeter('eastron-sdm630');
    const meter = (fn: number, address: number, count: number) => (count > 20 ? null : whole(fn, address, count));
    const { run } = setUp([{ unit: 1, setting: serial(9_600), meter }], { expect: 1 });
    const { found } = await run();
    expect(found[0]?.fits.map(({ profile }) => profile)).toContain('eastron-sdm630');
  });

  test.each([
    ['carlo-gavazzi-em24-rs485', 'carlo-gavazzi-em24-rs485'],
    ['carlo-gavazzi-em24-e1', 'carlo-gavazzi-em24-e1'],
    ['chint-dtsu666-a', 'chint-dtsu666-a'],
    ['chint-dtsu666-b', 'chint-dtsu666-b'],
    ['schneider-iem3000', 'schneider-iem3000'],
    ['janitza-b2x', 'janitza-b2x'],
    ['siemens-pac2200', 'siemens-pac2200'],
    ['orno-or-we-516', 'orno-or-we-516'],
  ])('knows a %s by its registers', async (id, expected) => {
    const { run } = setUp([{ unit: 1, setting: serial(9_600), meter: profileMeter(id) }], { expect: 1 });
    const { found } = await run();
    expect(found.map(({ fits }) => fits.map(({ profile }) => profile))).toEqual([[expected]]);
  });

  test('knows no meter by registers that refuse, or that hold what no meter shows', async () => {
    const meters = [
      { unit: 1, setting: serial(9_600), meter: () => 2 },
      {
        unit: 2,
        setting: serial(9_600),
        meter: (_fn: number, _address: number, count: number) => new Uint8Array(2 * count),
      },
      { unit: 3, setting: serial(9_600), meter: profileMeter('eastron-sdm630', { values: { frequency: 400 } }) },
    ];
    const { run } = setUp(meters, { expect: 3 });
    const { found } = await run();
    // A weak probe (a number of watts) fits zeros; nothing stronger may.
    expect(found.map(({ fits }) => Math.max(-1, ...fits.map(({ strength }) => strength)))).toEqual([-1, 0, 0]);
  });

  test('identifies a meter although every third answer comes late', async () => {
    const meter = { unit: 5, setting: serial(9_600), meter: profileMeter('orno-or-we-525'), turnaroundMs: 40 };
    const { run, line } = setUp([meter], { expect: 1 });
    let asked = 0;
    line.bend = (answer, delayMs) => ({ answer, delayMs: ++asked % 3 === 0 ? delayMs + 400 : delayMs });
    const { found } = await run();
    expect(found.map(summary)).toEqual(['5 9600 8N1 orno-or-we-525']);
    expect(line.writes).toBe(0);
  });

  test('finds a meter that answers after the wait of the sweep', async () => {
    const meter = { unit: 77, setting: serial(9_600), meter: profileMeter('orno-or-we-525'), turnaroundMs: 190 };
    const { run } = setUp([meter], { expect: 1 });
    const { found } = await run();
    expect(found.map(summary)).toEqual(['77 9600 8N1 orno-or-we-525']);
    expect(found[0]?.afterMs).toBeLessThan(90_000);
  });

  test('names a second master before it asks anything', async () => {
    const { clock, run, line } = setUp(five);
    line.onOpen = (open) => {
      const poll = () => {
        open.say(requestFrame({ unit: 9, fn: 3, address: 0, count: 10 }), 0);
        open.say(withCrc(Uint8Array.of(9, 3, 4, 1, 2, 3, 4)), 80);
        clock.after(700, poll);
      };
      poll();
    };
    await expect(run()).rejects.toThrow(
      /another device polls meters on this line \(unit 9 at 9600 8N1\).*Take the device off/,
    );
    expect(line.requests).toEqual([]);
  });

  test('finds the speed of a second master that is heard as noise only', async () => {
    const { clock, run, line } = setUp([]);
    line.onOpen = (open) => {
      const isIts = open.setting.transport === 'serial' && open.setting.baud === 19_200;
      const poll = () => {
        open.say(
          isIts ? requestFrame({ unit: 4, fn: 4, address: 0, count: 2 }) : Uint8Array.of(0xf8, 0x07, 0x7f, 0xfe),
          0,
        );
        clock.after(400, poll);
      };
      poll();
    };
    await expect(run()).rejects.toThrow(/unit 4 at 19200/);
    expect(line.requests).toEqual([]);
  });

  test('says that a line is noisy or never silent', async () => {
    const { clock, run, line } = setUp([]);
    line.onOpen = (open) => {
      const hum = () => {
        open.say(Uint8Array.of(0xff, 0x00, 0x55), 0);
        clock.after(10, hum);
      };
      hum();
    };
    await expect(run()).rejects.toThrow(/never silent.*A and B/);
  });

  test('names two meters with one unit number', async () => {
    const meters = [
      { unit: 4, setting: serial(9_600), meter: profileMeter('eastron-sdm630') },
      { unit: 4, setting: serial(9_600), meter: profileMeter('eastron-sdm630', { values: { voltage: 229.3 } }) },
      { unit: 5, setting: serial(9_600), meter: profileMeter('orno-or-we-525') },
    ];
    const { run, notes } = setUp(meters, { expect: 1 });
    const { found } = await run();
    expect(found.map(({ unit }) => unit)).toEqual([5]);
    // Both meters are known only when the stage is over.
    const whole = setUp(meters.slice(0, 2), { stages: stages.slice(0, 1) });
    await whole.run();
    expect(whole.notes).toEqual([expect.stringMatching(/unit 4 at 9600 8N1.*two meters with this unit number/)]);
    expect(notes).toEqual([]);
  });

  test('skips an echo and says so', async () => {
    const { run, line, notes } = setUp([{ unit: 2, setting: serial(9_600), meter: profileMeter('orno-or-we-525') }], {
      expect: 1,
    });
    line.intercept = (frame, open) => {
      open.say(frame, 0);
      return false;
    };
    const { found } = await run();
    expect(found.map(summary)).toEqual(['2 9600 8N1 orno-or-we-525']);
    expect(notes).toEqual([expect.stringMatching(/echo/)]);
  });

  test('stops when asked to and goes on from there, with what it had', async () => {
    const stop = new AbortController();
    const kept: string[] = [];
    const first = setUp(five, {
      signal: stop.signal,
      onFound: () => stop.abort(),
      onState: (state) => kept.push(JSON.stringify(state)),
    });
    await first.run();
    const state = JSON.parse(kept.at(-1) ?? '') as ScanState;
    expect(state.found).toHaveLength(1);
    const second = setUp(five, { expect: 2 }, state);
    const { found } = await second.run();
    expect(found.map(({ unit }) => unit)).toEqual([1, 7]);
    // The second run repeats no question of the first.
    expect(second.line.opened[0]).toEqual(serial(9_600, 'even'));
    expect(second.line.requests.some(({ frame }) => frame[0] === 1 && frame[1] === 3)).toBe(false);
  });

  test('opens a line again that was lost, and stops with words when it stays lost', async () => {
    const { clock, run, line } = setUp(five, { expect: 1 });
    let opened = 0;
    line.onOpen = (open) => {
      opened++;
      if (opened === 1)
        clock.after(3_300, () => {
          open.isGone = true;
        });
    };
    expect((await run()).found).toHaveLength(1);
    const lost = setUp(five);
    let times = 0;
    const broken = new Error('Error: No such file or directory, cannot open /dev/ttyUSB0');
    const open = lost.line.open;
    const gone = setUp(five, {
      open: async (setting) => {
        if (times++ > 0) throw broken;
        const made = await open(setting);
        made.isGone = true;
        return made;
      },
    });
    await expect(gone.run()).rejects.toThrow(/there is no such serial port/);
  });
});
