import { describe, expect, test } from 'vitest';
import { RegisterJudge } from '../src/domain/metering/register-judge.js';
import type { JudgedSample } from '../src/domain/metering/sample-run.js';

const SECOND = 1_000;
const LIMITS = { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 };

const sampleAt = (seconds: number, importWh: bigint, exportWh: bigint, resolutionWh = 1n): JudgedSample => ({
  ...{ importWh, exportWh, resolutionWh, contradiction: null, against: [] },
  ...{ steadyMs: seconds * SECOND, timeMs: 1_700_000_000_000 + seconds * SECOND, uncertaintyMs: 5 },
});

const judgeFrom = (importWh: bigint, exportWh: bigint, doubt: 'fell' | null = null) =>
  new RegisterJudge({
    limits: LIMITS,
    last: { importWh, exportWh, timeMs: 1_700_000_000_000, uncertaintyMs: 5, steadyMs: null },
    isBroken: false,
    doubt,
    pollMs: 10 * SECOND,
  });

describe('a scale factor that is wrong for one poll', () => {
  test('does not excuse a later wild total', () => {
    const judge = judgeFrom(1_000n, 500n);
    expect(judge.judge(sampleAt(10, 1_001n, 500n)).kind).toBe('good');
    expect(judge.judge(sampleAt(20, 1_001_000_000n, 500_000_000n, 1_000_000n)).kind).toBe('doubtful');
    expect(judge.judge(sampleAt(30, 1_002n, 500n)).kind).toBe('good');
    expect(judge.judge(sampleAt(40, 1_500_000n, 500n)).kind).toBe('doubtful');
    expect(judge.judge(sampleAt(50, 1_003n, 500n))).toEqual({ kind: 'good', importWh: 1_003n, exportWh: 500n });
  });

  test.each([1n, 2n])('does not excuse itself where a register counts %d', (exportWh) => {
    const judge = judgeFrom(0n, exportWh);
    expect(judge.judge(sampleAt(10, 0n, exportWh)).kind).toBe('good');
    expect(judge.judge(sampleAt(20, 0n, exportWh * 1_000_000_000n, 1_000_000_000n)).kind).toBe('doubtful');
    expect(judge.judge(sampleAt(30, 0n, exportWh)).kind).toBe('good');
  });

  test('shows no resolution while both registers are at 0', () => {
    const judge = judgeFrom(0n, 0n);
    expect(judge.judge(sampleAt(10, 0n, 0n)).kind).toBe('good');
    expect(judge.judge(sampleAt(20, 0n, 0n, 1_000_000_000n)).kind).toBe('good');
    expect(judge.judge(sampleAt(30, 500_000n, 0n)).kind).toBe('doubtful');
  });
});

describe('a resolution that changes for good', () => {
  test('to a coarser one keeps the higher value, and goes on', () => {
    const judge = judgeFrom(123_456n, 500n);
    expect(judge.judge(sampleAt(10, 123_457n, 500n)).kind).toBe('good');
    expect(judge.judge(sampleAt(20, 123_000n, 0n, 1_000n))).toMatchObject({ kind: 'good', importWh: 123_457n });
    expect(judge.judge(sampleAt(600, 124_000n, 1_000n, 1_000n))).toMatchObject({ kind: 'good', importWh: 124_000n });
  });

  test('is known after a start from the first registers', () => {
    const judge = judgeFrom(123_000n, 0n);
    expect(judge.judge(sampleAt(10, 124_000n, 0n, 1_000n)).kind).toBe('good');
  });
});

describe('a doubt of an earlier run', () => {
  test('can be accepted once the meter was read twice', () => {
    const judge = judgeFrom(1_000n, 500n, 'fell');
    expect(judge.isUnread).toBe(true);
    expect(judge.judge(sampleAt(10, 3n, 500n)).kind).toBe('doubtful');
    expect(judge.isUnread).toBe(true);
    expect(judge.accept()).toContain('try again');
    expect(judge.judge(sampleAt(20, 3n, 500n)).kind).toBe('doubtful');
    expect(judge.isUnread).toBe(false);
    expect(judge.accept()).toMatchObject({ change: { importWh: 997n, exportWh: 0n } });
  });
});

test('registers that must go on for long are named, those that a second value proves are not', () => {
  const judge = judgeFrom(1_000n, 500n);
  const undated = (seconds: number, importWh: bigint) => ({
    ...sampleAt(seconds, importWh, 500n),
    uncertaintyMs: null,
  });
  expect(judge.judge(undated(10, 1_100n))).toEqual({ kind: 'unproven', words: null });
  const far = judge.judge(undated(20, 900_000n));
  expect(far.kind === 'unproven' && far.words).toMatch(/far above the last good ones .* gone on for 30 minutes$/);
});
