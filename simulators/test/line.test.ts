import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AnswerFault,
  burst,
  crc16,
  damaged,
  flipped,
  type MeterSpec,
  type PtyBusOptions,
  rtuFrame,
  seededChance,
  simulateMeter,
  startPtyBus,
} from '../src/index.js';
import { FakePty, readRequest } from './support/line.js';

const CHAR_9600 = 10_000 / 9_600;

function bus(specs: readonly (Partial<MeterSpec> & { unit: number })[], options: Partial<PtyBusOptions> = {}) {
  const time = new VirtualClock();
  const pty = new FakePty(time);
  const meters = specs.map((spec) => simulateMeter({ profile: 'eastron-sdm630', time, ...spec }));
  return { time, pty, meters, bus: startPtyBus({ meters, open: () => pty, time, ...options }) };
}

const isFrame = (bytes: readonly number[]) =>
  bytes.length > 4 && crc16(Uint8Array.from(bytes.slice(0, -2))) === ((bytes.at(-2) ?? 0) | ((bytes.at(-1) ?? 0) << 8));

describe('a line of simulated meters', () => {
  test('answers at the pace of its speed', () => {
    const { time, pty } = bus([{ unit: 1, turnaroundMs: 50 }]);
    pty.send(readRequest(1, 4, 72, 4));
    time.advanceNow(8 * CHAR_9600 + 50 + 0.9);
    expect(pty.heard).toHaveLength(0);
    time.advanceNow(1_000);
    const bytes = pty.heard.flatMap((one) => one.bytes);
    expect(bytes.slice(0, 3)).toEqual([1, 4, 8]);
    expect(isFrame(bytes)).toBe(true);
    expect(pty.heard[0]?.atMs).toBeCloseTo(9 * CHAR_9600 + 50, 6);
    expect(pty.heard.at(-1)?.atMs).toBeCloseTo((8 + 13) * CHAR_9600 + 50, 6);
    expect(pty.heard).toHaveLength(13);
  });

  test('gathers characters as an adapter does', () => {
    const { time, pty } = bus([{ unit: 1 }], { gatherMs: 16 });
    pty.send(readRequest(1, 4, 0, 40));
    time.advanceNow(1_000);
    expect(pty.heard.length).toBeLessThan(8);
    expect(isFrame(pty.take())).toBe(true);
  });

  test('several meters on one bus: each is heard at its own speed and parity only', () => {
    let parity: 'none' | 'even' = 'none';
    const {
      time,
      pty,
      bus: line,
    } = bus(
      [
        { unit: 1, profile: 'eastron-sdm120' },
        { unit: 9, settings: { baud: 19_200, parity: 'even' } },
      ],
      { masterParity: () => parity },
    );
    const answers = (speed: number, unit: number) => {
      pty.speed = speed;
      pty.send(readRequest(unit, 4, 0, 2));
      time.advanceNow(1_000);
      return pty.take().length > 0;
    };
    expect(answers(2_400, 1)).toBe(true);
    expect(answers(9_600, 1)).toBe(false);
    expect(answers(19_200, 9)).toBe(false);
    parity = 'even';
    expect(answers(19_200, 9)).toBe(true);
    expect(answers(19_200, 1)).toBe(false);
    expect(line.line.unheard).toBe(2);
    expect(line.line.writes).toBe(0);
  });

  test('an answer under way when the master changes its speed arrives as something else', () => {
    const { time, pty } = bus([{ unit: 1 }]);
    pty.send(readRequest(1, 4, 0, 10));
    pty.speed = 4_800;
    time.advanceNow(1_000);
    const bytes = pty.take();
    expect(bytes).toHaveLength(13);
    expect(isFrame(bytes)).toBe(false);
  });

  test('counts what would change a meter, and refuses it', () => {
    const { time, pty, bus: line } = bus([{ unit: 1 }]);
    pty.send(rtuFrame(1, Uint8Array.of(6, 0, 1, 0, 1)));
    pty.send(rtuFrame(1, Uint8Array.of(16, 0, 1, 0, 1, 2, 0, 9)));
    time.advanceNow(1_000);
    expect(line.line.writes).toBe(2);
    expect(pty.take().slice(0, 3)).toEqual([1, 0x86, 1]);
  });

  test('a request in pieces, and one behind noise and silence', () => {
    const { time, pty } = bus([{ unit: 1 }]);
    const request = readRequest(1, 4, 0, 2);
    pty.send(request.subarray(0, 3));
    pty.send(request.subarray(3));
    time.advanceNow(500);
    expect(isFrame(pty.take())).toBe(true);
    pty.send(Uint8Array.of(0xff, 0x80, 0x13));
    time.advanceNow(100);
    pty.send(request);
    time.advanceNow(500);
    expect(isFrame(pty.take())).toBe(true);
  });
});

describe('faults on request', () => {
  const ask = (fault: AnswerFault, atMs: number | null = null) => {
    const made = bus([{ unit: 1, turnaroundMs: 10 }]);
    made.meters[0]?.faults.next(fault, atMs);
    const poll = (passMs = 5_000) => {
      made.pty.send(readRequest(1, 4, 72, 4));
      made.time.advanceNow(passMs);
      const [first] = made.pty.heard;
      return { bytes: made.pty.take(), atMs: first?.atMs ?? null };
    };
    return { ...made, poll };
  };
  const healthy = bus([{ unit: 1 }]);
  healthy.pty.send(readRequest(1, 4, 72, 4));
  healthy.time.advanceNow(1_000);
  const good = healthy.pty.take();

  test('late: the whole answer, later', () => {
    const { poll } = ask('late', 700);
    const { bytes, atMs } = poll();
    expect(bytes).toEqual(good);
    expect(atMs).toBeCloseTo(9 * CHAR_9600 + 700, 6);
  });

  test('dropped once, then as before', () => {
    const { poll, meters } = ask('drop');
    expect(poll().bytes).toEqual([]);
    expect(poll().bytes).toEqual(good);
    expect(meters[0]?.faults.counts).toEqual({ drop: 1 });
  });

  test('copied: the same again', () => {
    const { poll } = ask('copy', 400);
    expect(poll().bytes).toEqual([...good, ...good]);
  });

  test('a copy that the machine comes to too late is withheld', () => {
    const made = bus([{ unit: 1, turnaroundMs: 10, times: { late: [100, 200], copyWithin: 50 } }]);
    const poll = (stallMs: number) => {
      made.meters[0]?.faults.next('copy');
      made.pty.send(readRequest(1, 4, 72, 4));
      made.time.stall(stallMs);
      made.time.advanceNow(1_000);
      return made.pty.take();
    };
    expect(poll(0)).toHaveLength(2 * good.length);
    expect(poll(500)).toEqual(good);
    expect(made.meters[0]?.faults.counts).toEqual({ copy: 2, withheld: 1 });
  });

  test('truncated and corrupted: no frame', () => {
    const { bytes } = ask('truncate').poll();
    expect(bytes.length).toBeLessThan(good.length);
    expect(bytes).toEqual(good.slice(0, bytes.length));
    const noise = ask('corrupt').poll().bytes;
    expect(noise).toHaveLength(good.length);
    expect(isFrame(noise)).toBe(false);
  });

  test('glued: the next answer has this one with it, without silence', () => {
    const { poll } = ask('glue');
    expect(poll(500).bytes).toEqual(good);
    expect(poll().bytes).toEqual([...good, ...good]);
    expect(poll().bytes).toEqual(good);
  });

  test('exception, wrong unit, echo', () => {
    expect(ask('exception').poll().bytes.slice(0, 2)).toEqual([1, 0x84]);
    const { bytes } = ask('wrongUnit').poll();
    expect(bytes[0]).toBe(2);
    expect(isFrame(bytes)).toBe(true);
    expect(ask('echo').poll().bytes).toEqual([...readRequest(1, 4, 72, 4), ...good]);
  });

  test('an adapter that hears itself', () => {
    const { pty } = bus([{ unit: 1 }], { echo: true });
    pty.send(readRequest(7, 4, 0, 2));
    expect(pty.take()).toEqual([...readRequest(7, 4, 0, 2)]);
  });

  test('a second master asks, and is answered', () => {
    const { pty, time } = bus([{ unit: 1 }], {
      secondMaster: { everyMs: 1_000, unit: 1, fn: 4, address: 72, count: 4 },
    });
    time.advanceNow(1_900);
    expect(pty.take()).toEqual([...readRequest(1, 4, 72, 4), ...good]);
  });

  test('restart, roll-over and frozen registers', () => {
    let importWh = 1_999n;
    const values = () => ({ importWh, exportWh: 0n, powerW: 0, voltageV: 230, frequencyHz: 50 });
    const { pty, time, meters } = bus([{ unit: 1, values, upsets: { rolloverWh: 2_000n } }]);
    const [meter] = meters;
    const kwh = () => {
      pty.send(readRequest(1, 4, 72, 2));
      time.advanceNow(200);
      const bytes = Uint8Array.from(pty.take());
      return bytes.length === 0 ? null : new DataView(bytes.buffer).getFloat32(3);
    };
    expect(kwh()).toBeCloseTo(1.999);
    importWh = 2_001n;
    expect(kwh()).toBeCloseTo(0.001);
    importWh = 3_500n;
    meter?.upsets.restart(1_000, 100n);
    expect(kwh()).toBeNull();
    time.advanceNow(1_000);
    expect(kwh()).toBeCloseTo(1.4);
    meter?.upsets.freeze(true);
    importWh = 3_600n;
    expect(kwh()).toBeCloseTo(1.4);
    meter?.upsets.freeze(false);
    expect(kwh()).toBeCloseTo(1.5);
  });

  test('planned upsets: restarts again and again, frozen from a time on', () => {
    let importWh = 1_000n;
    const values = () => ({ importWh, exportWh: 0n, powerW: 0, voltageV: 230, frequencyHz: 50 });
    const { time, meters } = bus([
      { unit: 1, values, upsets: { restart: { everyMs: 1_000, downMs: 100, losesWh: 7n }, frozenAfterMs: 2_500 } },
    ]);
    const [meter] = meters;
    time.advanceNow(950);
    expect(meter?.isDown()).toBe(false);
    time.advanceNow(100);
    expect(meter?.isDown()).toBe(true);
    expect(meter?.upsets.values().importWh).toBe(993n);
    time.advanceNow(1_500);
    expect(meter?.upsets.values().importWh).toBe(986n);
    importWh = 2_000n;
    expect(meter?.upsets.values().importWh).toBe(986n);
  });
});

describe('faults by chance', () => {
  test('come as often as they are asked for', () => {
    const { time, pty, meters } = bus([{ unit: 1, rates: { drop: 0.2, exception: 0.1 } }]);
    for (let i = 0; i < 2_000; i++) {
      pty.send(readRequest(1, 4, 72, 2));
      time.advanceNow(100);
    }
    const { drop = 0, exception = 0 } = meters[0]?.faults.counts ?? {};
    expect(exception).toBeGreaterThan(140);
    expect(exception).toBeLessThan(260);
    expect(drop).toBeGreaterThan(290);
    expect(drop).toBeLessThan(430);
    pty.take();
  });

  test('damage is always found by the CRC; what is heavier has an even chance of 2^-15 or less', () => {
    void fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 60 }), fc.integer(), (body, seed) => {
        const frame = rtuFrame(1, body);
        expect(isFrame([...damaged(frame, seededChance(seed))])).toBe(false);
      }),
    );
    const frame = rtuFrame(1, Uint8Array.of(4, 2, 0, 1));
    const different = (bytes: Uint8Array) =>
      bytes.reduce((sum, byte, i) => sum + (byte ^ (frame[i] ?? 0)).toString(2).replace(/0/g, '').length, 0);
    expect(different(flipped(frame, 5, seededChance(3)))).toBe(5);
    expect(different(burst(frame, 2, seededChance(3)))).toBe(2);
  });
});
