import { EventCode } from '@gridtokenx/protocol';
import { ClockSource } from '@gridtokenx/runtime/core';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { ClockWatch } from '../src/domain/metering/clock-watch.js';

const stepped = (ms: number, detail: number = ClockSource.oracle) => ({
  before: detail,
  code: EventCode.clockStepped,
  value: BigInt.asUintN(64, BigInt(ms)),
  detail,
});

describe('events of the clock', () => {
  test('a step is told with its size and direction, once; what there is at first is none', async () => {
    const time = new VirtualClock();
    time.reading.stepMs = 7_200_000;
    const watch = new ClockWatch(time.reading, time);
    expect(watch.check()).toEqual([]);
    await time.advance(10_000);
    expect(watch.check()).toEqual([]);
    time.reading.stepMs -= 3_600_000;
    expect(watch.check()).toEqual([stepped(-3_600_000)]);
    await time.advance(120_000);
    expect(watch.check()).toEqual([]);
    time.reading.stepMs += 5_000;
    expect(watch.check()).toEqual([stepped(5_000)]);
  });

  test('the correction of a drift is no step, also after many hours', async () => {
    const time = new VirtualClock();
    const watch = new ClockWatch(time.reading, time);
    for (let answer = 0; answer < 100; answer++) {
      await time.advance(600_000);
      time.reading.stepMs += 120;
      expect(watch.check()).toEqual([]);
    }
  });

  test('a clock that is stepped all the time is told once a minute, in sums', async () => {
    const time = new VirtualClock();
    const watch = new ClockWatch(time.reading, time);
    const told: bigint[] = [];
    for (let second = 0; second < 180; second++) {
      await time.advance(1_000);
      time.reading.stepMs += 2_000;
      told.push(...watch.check().map(({ value }) => value));
    }
    expect(told).toEqual([2_000n, 120_000n, 120_000n]);
  });

  test('another source is told with the uncertainty that is known then', async () => {
    const time = new VirtualClock();
    const watch = new ClockWatch(time.reading, time);
    time.reading.from = ClockSource.none;
    time.reading.uncertainty = null;
    expect(watch.check()).toEqual([{ code: EventCode.clockSourceChanged, value: 0xffff_ffffn, detail: 0, before: 2 }]);
    await time.advance(60_000);
    time.reading.from = ClockSource.timesyncd;
    time.reading.uncertainty = 999.2;
    expect(watch.check()).toEqual([{ code: EventCode.clockSourceChanged, value: 1_000n, detail: 1, before: 0 }]);
  });

  test('a simulated clock runs as it likes', async () => {
    const time = new VirtualClock({ startAtMs: 0, speed: 200 });
    time.reading.from = ClockSource.simulated;
    const watch = new ClockWatch(time.reading, time);
    await time.advance(10_000);
    time.reading.stepMs += 86_400_000;
    expect(watch.check()).toEqual([]);
  });
});
