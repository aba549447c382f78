import { EventCode, Kind, Quality, windowOf } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { ReadError, ReadFailure } from '../src/domain/ports.js';

import { MINUTE, type Registers, rising, setUp } from './support/meter-polls.js';

describe('the meter that answers', () => {
  const events = (run: Awaited<ReturnType<typeof setUp>>) =>
    run.of(Kind.event).map(({ code, detail }) => [code, detail]);

  test('is asked for its serial number at the start, after silence and once an hour', async () => {
    let asked = 0;
    let isSilent = false;
    const read = (nowMs: number): Registers => {
      if (isSilent) throw new ReadError(ReadFailure.timeout, 'no answer');
      return rising(nowMs);
    };
    const run = await setUp(read, 1, async () => {
      asked++;
      return '42A';
    });
    await run.time.advance(59 * MINUTE);
    expect(asked).toBe(1);
    await run.time.advance(3 * MINUTE);
    expect(asked).toBe(2);
    isSilent = true;
    await run.time.advance(2 * MINUTE);
    expect(asked).toBe(2);
    isSilent = false;
    await run.time.advance(3 * MINUTE);
    expect(asked).toBe(3);
    // Another notation than on the nameplate is no fault.
    expect(run.meter.problems()).toEqual([]);
    expect(events(run)).toEqual([]);
    await run.end();
  });

  test('that was exchanged for another is noticed before anything of it is signed as good', async () => {
    let serial = '42A';
    const run = await setUp(rising, 1, async () => serial);
    await run.time.advance(20 * MINUTE);
    serial = '43A';
    await run.time.advance(50 * MINUTE);
    expect(events(run)).toEqual([[EventCode.registerDiscontinuity, 2]]);
    const at = run.of(Kind.event)[0]?.timeMs ?? 0n;
    const later = run.of(Kind.reading).filter(({ timeMs }) => timeMs >= at);
    expect(later.length).toBeGreaterThan(5);
    expect(later.every(({ quality }) => (quality & Quality.discontinuity) !== 0)).toBe(true);
    expect(run.of(Kind.statement).length).toBeGreaterThan(0);
    expect(run.of(Kind.statement).every(({ window }) => window < windowOf(Number(at)))).toBe(true);
    expect(run.meter.problems().join()).toContain('another meter answers');
    await run.end();
  });

  test('and shows its own number again goes on within two minutes', async () => {
    let serial = '42A';
    const run = await setUp(rising, 1, async () => serial);
    await run.time.advance(59 * MINUTE);
    serial = '43A';
    await run.time.advance(2 * MINUTE);
    expect(run.meter.problems().join()).toContain('another meter answers');
    serial = '42A';
    await run.time.advance(2 * MINUTE);
    expect(run.meter.problems()).toEqual([]);
    expect(events(run).map(([, detail]) => detail)).toEqual([2, 7]);
    await run.end();
  });

  test('is read on while the disk does not take its first number, which is stored within two minutes', async () => {
    let isFull = false;
    const stored: (string | null)[] = [];
    const store = async ({ serial }: { serial: string | null }) => {
      if (isFull) throw new Error('ENOSPC');
      stored.push(serial);
    };
    const run = await setUp(rising, 1, async () => '42A', { store });
    isFull = true;
    await run.time.advance(5 * MINUTE);
    expect(stored).not.toContain('42A');
    const { length } = run.of(Kind.reading);
    expect(length).toBeGreaterThan(3);
    isFull = false;
    await run.time.advance(3 * MINUTE);
    expect(stored).toContain('42A');
    expect(run.of(Kind.reading).length).toBeGreaterThan(length);
    await run.end();
  });

  test('is not taken for another after one odd answer, a refusal or none', async () => {
    const answers: (() => string | null)[] = [
      () => '42A',
      () => '77',
      () => '42A',
      () => {
        throw new ReadError(ReadFailure.exception, 'exception 2');
      },
      () => null,
    ];
    const run = await setUp(rising, 1, async () => (answers.shift() ?? (() => '42A'))());
    await run.time.advance(5 * 61 * MINUTE);
    expect(answers).toEqual([]);
    expect(events(run)).toEqual([]);
    await run.end();
  });

  test('whose number is not the configured one works, and a person is told', async () => {
    const run = await setUp(rising, 1, async () => '99');
    await run.time.advance(20 * MINUTE);
    expect(run.meter.problems()).toEqual([
      'meter main: the meter shows serial number 99, the configuration has 0042-A: correct the wrong one',
    ]);
    expect(run.of(Kind.statement)).toHaveLength(1);
    await run.end();
  });
});
