import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { loadProfile } from '../../src/adapters/profiles/files.js';
import { requestFrame } from '../../src/domain/bus/frames.js';
import { diagnose } from '../../src/domain/doctor/diagnose.js';
import type { ExamineOptions } from '../../src/domain/doctor/observation.js';
import { examine } from '../../src/domain/doctor/observe.js';
import type { SerialSetting } from '../../src/domain/scan/settings.js';
import type { ModbusProfile } from '../../src/profiles/profile.js';
import { type FakeMeter, profileMeter } from '../support/profile-meter.js';
import { type LineMeter, ScanLine } from '../support/scan-line.js';

const serial = (baud: number, parity: SerialSetting['parity'] = 'none'): SerialSetting => ({
  transport: 'serial',
  baud,
  parity,
  stopBits: 1,
});
const HERE = serial(9_600);
const SDM630 = loadProfile('eastron-sdm630') as ModbusProfile;

/** A house that draws 6 kW: its voltage and its register change. */
function living(clock: VirtualClock, change: (atMs: number) => Record<string, number> = () => ({})): FakeMeter {
  return (fn, address, count) => {
    const atMs = clock.monotonicMs();
    const values = {
      power: 6_000,
      voltage: 230 + ((atMs / 700) % 3),
      import: 1_000_000 + Math.floor((6_000 * atMs) / 3_600_000),
      ...change(atMs),
    };
    return profileMeter('eastron-sdm630', { values })(fn, address, count);
  };
}

function setUp(
  meters: (clock: VirtualClock) => readonly LineMeter[],
  units: readonly number[],
  more: Partial<ExamineOptions> = {},
) {
  const clock = new VirtualClock({ startAtMs: 0 });
  const line = new ScanLine(clock, meters(clock));
  const look = async () => {
    const seen = await clock.run(
      examine({
        name: 'rs485',
        setting: HERE,
        meters: units.map((unit) => ({ name: `meter-${unit}`, unit, profile: SDM630 })),
        open: line.open,
        clock: clock,
        firstId: 1,
        waitMs: 500,
        settings: [HERE, serial(2_400), serial(19_200, 'even')],
        signal: new AbortController().signal,
        ...more,
      }),
    );
    expect(line.writes).toBe(0);
    return diagnose(seen).map(({ level, where, text }) => `${level} ${where}: ${text}`);
  };
  return { clock, line, look };
}
const at = (unit: number, meter: FakeMeter, setting = HERE, turnaroundMs = 20): LineMeter => ({
  unit,
  setting,
  meter,
  turnaroundMs,
});

describe('the doctor of a bus', () => {
  test('finds nothing where nothing is wrong', async () => {
    const { look } = setUp((clock) => [at(1, living(clock)), at(2, living(clock))], [1, 2]);
    expect(await look()).toEqual([]);
  });

  test.each([
    ['Error: No such file or directory, cannot open /dev/ttyUSB0', /no such serial port: is it plugged in/],
    ['Error: Permission denied, cannot open /dev/ttyUSB0', /add the user to the group dialout/],
    ['Error Resource temporarily unavailable Cannot lock port', /locked: another program uses it/],
  ])('says why a port cannot be opened (%s)', async (message, expected) => {
    const { look } = setUp(() => [], [1], { open: () => Promise.reject(new Error(message)) });
    expect(await look()).toEqual([expect.stringMatching(expected)]);
  });

  test('names wires, meter and port where nothing answers at all', async () => {
    const { look } = setUp(() => [], [1, 7]);
    expect(await look()).toEqual([
      expect.stringMatching(/nothing answers \(unit 1, 7\) neither at 9600 8N1.*swap the wires A and B/),
    ]);
  });

  test('finds the speed at which a silent meter answers', async () => {
    const { look } = setUp((clock) => [at(1, living(clock)), at(5, living(clock), serial(19_200, 'even'))], [1, 5]);
    expect(await look()).toEqual([
      expect.stringMatching(/unit 5 .*answers at 19200 8E1, not at 9600 8N1.*baud: 19200, parity: even/),
    ]);
  });

  test('names the unit that answers in place of the configured one', async () => {
    const { look } = setUp((clock) => [at(3, living(clock))], [1]);
    expect(await look()).toEqual([
      expect.stringMatching(/unit 1 .*unit 3 answers, which is not configured: is 1 the right/),
    ]);
  });

  test('names a second master, and asks nothing then', async () => {
    const { clock, line, look } = setUp((time) => [at(1, living(time))], [1]);
    line.onOpen = (open) => {
      const poll = () => {
        open.say(requestFrame({ unit: 1, fn: 4, address: 0, count: 2 }), 0);
        clock.after(1_000, poll);
      };
      poll();
    };
    expect(await look()).toEqual([expect.stringMatching(/another device polls .*unit 1.*Take the device off/)]);
    expect(line.requests).toEqual([]);
  });

  test('names noise, and a line that is never silent', async () => {
    const noisy = setUp((clock) => [at(1, living(clock))], [1]);
    noisy.line.onOpen = (open) => open.say(Uint8Array.of(0xff, 0x13, 0x77, 0x00), 500);
    expect(await noisy.look()).toEqual([expect.stringMatching(/no Modbus .*: noise/)]);
    const loud = setUp((clock) => [at(1, living(clock))], [1]);
    loud.line.onOpen = (open) => {
      const hum = () => {
        open.say(Uint8Array.of(0xff, 0x00), 0);
        loud.clock.after(10, hum);
      };
      hum();
    };
    expect(await loud.look()).toEqual([expect.stringMatching(/never silent/)]);
  });

  test('says that an echo is harmless', async () => {
    const { line, look } = setUp((clock) => [at(1, living(clock))], [1]);
    line.intercept = (frame, open) => {
      open.say(frame, 0);
      return false;
    };
    expect(await look()).toEqual([expect.stringMatching(/^note .*echo/)]);
  });

  test('names two meters with one number, where another meter is well', async () => {
    const { look } = setUp(
      (clock) => [
        at(1, living(clock)),
        at(
          1,
          living(clock, () => ({ voltage: 221, import: 77 })),
        ),
        at(2, living(clock)),
      ],
      [1, 2],
    );
    expect(await look()).toEqual([
      expect.stringMatching(/unit 1 .*damaged, while unit 2 is well: two meters with this unit number/),
    ]);
  });

  test('names damage of all, and of some answers', async () => {
    const all = setUp((clock) => [at(1, living(clock))], [1]);
    all.line.bend = (answer, delayMs) => ({ answer: answer.map((byte) => byte ^ 0x10), delayMs });
    expect(await all.look()).toEqual([expect.stringMatching(/all of its answers are damaged/)]);
    const some = setUp((clock) => [at(1, living(clock))], [1]);
    let count = 0;
    some.line.bend = (answer, delayMs) => ({
      answer: ++count % 4 === 0 ? answer.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) : answer,
      delayMs,
    });
    expect(await some.look()).toEqual([
      expect.stringMatching(/25 % of its answers are damaged: check the end resistors/),
    ]);
  });

  test('names a meter that answers after the time-out, and how late', async () => {
    const { look } = setUp((clock) => [at(1, living(clock), HERE, 1_200)], [1]);
    expect(await look()).toEqual([
      expect.stringMatching(/answers after up to 1[0-9]{3} ms, but the gateway waits only 500 ms .*request_timeout_ms/),
    ]);
  });

  test('says what an exception means', async () => {
    const { look } = setUp(() => [at(1, () => 2)], [1]);
    expect(await look()).toEqual([
      expect.stringMatching(/100 % of the requests with an exception \(exception 2, .*another model/),
    ]);
  });

  test('names a register that falls', async () => {
    const { look } = setUp(
      (clock) => [
        at(
          1,
          living(clock, (atMs) => (atMs > 9_000 ? { import: 12 } : {})),
        ),
      ],
      [1],
    );
    expect(await look()).toEqual([
      expect.stringMatching(/import register fell from 10000\d\d to 12 Wh.*`accept-register`/),
    ]);
  });

  test('names a register that stands while power flows, and a meter of which nothing moves', async () => {
    const stands = setUp(
      (clock) => [
        at(
          1,
          living(clock, () => ({ import: 5_000_000 })),
        ),
      ],
      [1],
    );
    expect(await stands.look()).toEqual([expect.stringMatching(/energy registers do not move: a frozen register/)]);
    const frozen = setUp(() => [at(1, profileMeter('eastron-sdm630', { values: { power: 300 } }))], [1]);
    expect(await frozen.look()).toEqual([expect.stringMatching(/exactly the same values for \d+ s/)]);
  });

  test('names a meter that is no such model', async () => {
    const { look } = setUp(
      (clock) => [
        at(
          1,
          living(clock, () => ({ frequency: 412 })),
        ),
      ],
      [1],
    );
    expect(await look()).toEqual([expect.stringMatching(/does not look like Eastron SDM630: frequency is 412/)]);
  });

  test('says nothing of the model where it was stopped before all was read', async () => {
    const stop = new AbortController();
    const { line, look } = setUp((clock) => [at(1, living(clock))], [1], { signal: stop.signal });
    line.intercept = () => {
      stop.abort();
      return false;
    };
    expect(await look()).toEqual([]);
    expect(line.requests).toHaveLength(1);
  });

  test('says when the port is unplugged while it looks', async () => {
    const { clock, line, look } = setUp((time) => [at(1, living(time))], [1]);
    line.onOpen = (open) =>
      clock.after(6_000, () => {
        open.isGone = true;
      });
    expect(await look()).toEqual([expect.stringMatching(/the line was lost: .*unplugged/)]);
  });
});
