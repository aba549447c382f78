import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { framesOf, type KeptFrame, lineOf } from '../../src/adapters/frames/line.js';
import { FrameRing, readFrames } from '../../src/adapters/frames/ring.js';
import { HOUR_BYTES } from '../../src/wiring/sizes.js';

const DIR = '/data/frames';
const HOUR_MS = 3_600_000;

function setUp(hourBytes = HOUR_BYTES) {
  const time = new VirtualClock();
  const disk = new CrashDisk();
  const ring = new FrameRing({ disk, dir: DIR, clock: time, hourBytes });
  const frame = (unit: number, byte: number): KeptFrame => ({
    timeMs: time.nowMs(),
    bus: 'cellar',
    unit,
    function: 4,
    address: 72,
    frame: Uint8Array.of(unit, 4, 2, 0, byte, 1, 2),
  });
  const files = () => [...disk.files.keys()].filter((path) => path.startsWith(DIR)).sort();
  return { time, disk, ring, frame, files };
}

const frames = fc.record({
  timeMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  bus: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/),
  unit: fc.integer({ min: 1, max: 247 }),
  function: fc.constantFrom(3, 4),
  address: fc.integer({ min: 0, max: 65_535 }),
  frame: fc.uint8Array({ minLength: 5, maxLength: 255 }),
});

describe('a line of a kept frame', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(framesOf(lineOf(frame))).toEqual({ frames: [frame], damaged: 0 });
      }),
    );
  });

  it('that was damaged is left out, and costs no other line', () => {
    fc.assert(
      fc.property(frames, frames, frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (a, b, c, at, change) => {
        const damaged = Buffer.from(lineOf(b), 'latin1');
        const i = at % (damaged.length - 1);
        damaged[i] = (damaged[i] ?? 0) ^ change;
        const read = framesOf(lineOf(a) + damaged.toString('latin1') + lineOf(c)).frames;
        expect(read).toEqual([a, c]);
      }),
    );
  });

  it('that was torn at any place is left out', () => {
    fc.assert(
      fc.property(frames, frames, fc.nat(), (a, b, cut) => {
        const torn = lineOf(b).slice(0, cut % (lineOf(b).length - 1));
        expect(framesOf(`${lineOf(a)}${torn}\n${lineOf(a)}`).frames).toEqual([a, a]);
      }),
    );
  });
});

describe('the ring of frames', () => {
  it('writes before the minute is over when 256 KiB have come, and not before that', async () => {
    const { ring, frame, files } = setUp();
    const bytes = lineOf(frame(1, 0)).length;
    const enough = Math.ceil((256 * 1_024) / bytes);
    for (let i = 1; i < enough; i++) ring.keep(frame(1, i & 0xff));
    await new Promise((resolve) => setImmediate(resolve));
    expect(files()).toEqual([]);
    for (let i = 0; i < 8; i++) ring.keep(frame(1, i));
    for (let turns = 0; turns < 50 && files().length === 0; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(files()).toHaveLength(1);
  });

  it('writes once a minute, whatever comes', async () => {
    const { time, disk, ring, frame } = setUp();
    let appends = 0;
    const open = disk.openAppend.bind(disk);
    disk.openAppend = async (path) => {
      appends++;
      return open(path);
    };
    for (let i = 0; i < 600; i++) {
      ring.keep(frame(1, i & 0xff));
      await time.advance(1_000);
    }
    await ring.flush();
    expect(appends).toBeLessThanOrEqual(12);
    expect((await readFrames(disk, DIR)).frames).toHaveLength(600);
  });

  it('keeps 24 hours and no more than 25 files', async () => {
    const { time, disk, ring, frame, files } = setUp();
    for (let hour = 0; hour < 60; hour++) {
      ring.keep(frame(1, hour));
      await ring.flush();
      await time.advance(HOUR_MS);
    }
    const kept = (await readFrames(disk, DIR)).frames.map(({ frame: bytes }) => bytes[4]);
    expect(kept).toEqual(Array.from({ length: 25 }, (_, i) => 35 + i));
    expect(files()).toHaveLength(25);
  });

  it('never holds more files than hours, even when the clock jumps about', async () => {
    const { time, ring, disk, frame, files } = setUp();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -200, max: 200 }), async (hours) => {
        ring.keep({ ...frame(1, 1), timeMs: time.nowMs() + hours * HOUR_MS });
        await ring.flush();
        expect(files().length).toBeLessThanOrEqual(26);
        expect(ring.problem).toBeNull();
      }),
    );
    expect((await readFrames(disk, DIR)).damaged).toBe(0);
  });

  it('keeps the hour that runs and the latest 24 others when a clock was ahead', async () => {
    const { time, disk, ring, frame, files } = setUp();
    const remove = disk.remove.bind(disk);
    // As a real disk does, which CrashDisk does not.
    disk.remove = (path) => (disk.files.has(path) ? remove(path) : Promise.reject(new Error('ENOENT')));
    const kept = frame(1, 1);
    const name = (hours: number) =>
      `${DIR}/${new Date(time.nowMs() + hours * HOUR_MS).toISOString().slice(0, 13)}.frames`;
    ring.keep(kept);
    await ring.flush();
    const ahead = Array.from({ length: 25 }, (_, i) => name(i + 1));
    for (const path of [name(-25), name(-24), ...ahead.slice(1)]) await disk.replace(path, Buffer.from('\n'));
    const next = () => new FrameRing({ disk, dir: DIR, clock: time, hourBytes: HOUR_BYTES });
    const begin = async () => {
      const again = next();
      again.keep(frame(2, 2));
      await again.flush();
      expect(again.problem).toBeNull();
    };
    // 24 hours ago is a part of the ring, and the first to go when there are more hours than it has.
    await begin();
    expect(files()).toEqual([name(0), ...ahead.slice(1)]);
    await begin();
    expect(files()).toEqual([name(0), ...ahead.slice(1)]);
    await disk.replace(ahead[0] ?? '', Buffer.from('\n'));
    await begin();
    expect(files()).toEqual([name(0), ...ahead.slice(1)]);
    expect((await readFrames(disk, DIR)).frames).toContainEqual(kept);
  });

  it('goes on after a kill at any moment: a torn end costs one line', async () => {
    const { time, disk, ring, frame } = setUp();
    for (let i = 0; i < 5; i++) ring.keep(frame(1, i));
    await ring.flush();
    const [path] = [...disk.files.keys()];
    const file = disk.files.get(path ?? '');
    if (!file) throw new Error('nothing was written');
    const whole = file.cache;
    for (let cut = 0; cut < whole.length; cut += 7) {
      file.cache = whole.slice(0, cut);
      const next = new FrameRing({ disk, dir: DIR, clock: time, hourBytes: HOUR_BYTES });
      next.keep(frame(2, 9));
      await next.flush();
      const { frames: read, damaged } = await readFrames(disk, DIR);
      expect(read.filter(({ unit }) => unit === 2)).toHaveLength(1);
      expect(read.length).toBeGreaterThanOrEqual(1 + Math.floor(cut / (whole.length / 5)));
      expect(damaged).toBeLessThanOrEqual(1);
    }
  });

  it('keeps what a unit said last with each discontinuity, beyond the day', async () => {
    const { time, disk, ring, frame, files } = setUp();
    for (let i = 0; i < 100; i++) {
      ring.keep(frame(1, i));
      ring.keep(frame(2, i));
    }
    await ring.mark('cellar', 1);
    await time.advance(48 * HOUR_MS);
    ring.keep(frame(2, 200));
    await ring.flush();
    const { frames: read } = await readFrames(disk, DIR);
    expect(read.filter(({ unit }) => unit === 1).map(({ frame: bytes }) => bytes[4])).toEqual(
      Array.from({ length: 64 }, (_, i) => 36 + i),
    );
    expect(files().filter((path) => path.includes('/kept/'))).toHaveLength(1);
    for (let i = 0; i < 300; i++) {
      await time.advance(1);
      await ring.mark('cellar', 1);
    }
    expect(files().filter((path) => path.includes('/kept/'))).toHaveLength(256);
  });

  it('says that a disk is full, holds a bounded part, and writes that when there is room again', async () => {
    const { disk, ring, frame } = setUp();
    disk.failing = 'ENOSPC';
    for (let i = 0; i < 30_000; i++) ring.keep({ ...frame(1, i & 0xff), address: i });
    await ring.flush();
    expect(ring.problem).toContain('ENOSPC');
    disk.failing = null;
    await ring.flush();
    expect(ring.problem).toBeNull();
    const { frames: read } = await readFrames(disk, DIR);
    expect(read.length).toBeGreaterThan(5_000);
    expect(read.length).toBeLessThan(30_000);
    expect(read.at(-1)?.address).toBe(29_999);
  });

  it('leaves out what one hour cannot hold, and says so', async () => {
    const { ring, frame, disk, time } = setUp(10_000);
    for (let i = 0; i < 300; i++) {
      ring.keep({ ...frame(1, 1), address: i });
      if (i % 50 === 0) await ring.flush();
    }
    await ring.flush();
    expect(ring.problem).toContain('raw frames of this hour');
    const bytes = [...disk.files.values()].reduce((sum, file) => sum + file.cache.length, 0);
    expect(bytes).toBeLessThanOrEqual(10_000);
    await time.advance(HOUR_MS);
    ring.keep(frame(1, 1));
    await ring.flush();
    expect(ring.problem).toBeNull();
  });
});
