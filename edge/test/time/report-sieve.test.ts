import { ClockSource } from '@gridtokenx/runtime/core';
import { expect, test } from 'vitest';
import { ReportSieve } from '../../src/domain/time/report-sieve.js';

const report = (stamp: string, ageMs: number) => ({ source: ClockSource.chrony, stamp, ageMs, errorMs: 1 }) as const;

test('a report counts until somebody steps the clock, and again after the next synchronisation', () => {
  const sieve = new ReportSieve();
  expect([sieve.doubtOf(report('1', 5_000), 10_000), sieve.doubtOf(report('1', 21_000), 26_000)]).toEqual([0, 0]);
  sieve.stepped(-7_200_000, 28_000);
  expect(sieve.doubtOf(report('1', 0), 30_000)).toBeNull();
  expect(sieve.doubtOf(report('1', 16_000), 46_000)).toBeNull();
  expect(sieve.doubtOf(report('2', 100), 62_000)).toBe(0);
});

test('a step that the daemon made is no reason to wait', () => {
  const sieve = new ReportSieve();
  sieve.stepped(1.8e12, 8_000);
  expect(sieve.doubtOf(report('1', 1_500), 10_000)).toBe(0);
});

test('a synchronisation that nobody had seen before a step forward or back counts for nothing', () => {
  for (const [byMs, ageMs] of [
    [60_000, 70_000],
    [-60_000, -50_000],
  ] as const) {
    const sieve = new ReportSieve();
    expect(sieve.doubtOf(report('1', 100_000), 10_000)).toBe(0);
    sieve.stepped(byMs, 24_000);
    expect(sieve.doubtOf(report('2', ageMs), 26_000)).toBeNull();
    expect(sieve.doubtOf(report('2', ageMs + 60_000), 86_000)).toBeNull();
  }
});

test('a small step may hide in the age of a synchronisation: it counts as doubt until the next one', () => {
  const sieve = new ReportSieve();
  expect(sieve.doubtOf(report('1', 100_000), 10_000)).toBe(0);
  sieve.stepped(-2_000, 24_000);
  expect([sieve.doubtOf(report('2', 1_000), 26_000), sieve.doubtOf(report('2', 17_000), 42_000)]).toEqual([
    2_000, 2_000,
  ]);
  expect(sieve.doubtOf(report('3', 1_000), 58_000)).toBe(0);
});
