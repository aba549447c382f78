import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { withCrc } from '../../src/domain/bus/crc.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { serialSpeed } from '../../src/domain/bus/line.js';
import type { Line } from '../../src/domain/bus/ports.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';

const CHOICES = [4, 6, 8, 10, 12, 14].map((count) => ({ address: 0, count }));
const PERIOD_MS = 5_000;

/** A line whose units answer after `delayMs`; null: not at all. */
class TimedLine implements Line {
  readonly asked: { unit: number; atMs: number }[] = [];
  readonly delayMs = new Map<number, number | null>();
  readonly #time: VirtualClock;
  #input: Uint8Array = new Uint8Array(0);
  constructor(time: VirtualClock) {
    this.#time = time;
  }
  async write(request: Uint8Array): Promise<void> {
    const [unit = 0, fn = 0, , , , count = 0] = request;
    this.asked.push({ unit, atMs: this.#time.monotonicMs() });
    const delayMs = this.delayMs.get(unit) ?? null;
    if (delayMs === null) return;
    const answer = withCrc(Uint8Array.of(unit, fn, 2 * count, ...new Uint8Array(2 * count)));
    this.#time.after(delayMs, () => {
      this.#input = Buffer.concat([this.#input, answer]);
    });
  }
  read(): Uint8Array {
    const bytes = this.#input;
    this.#input = new Uint8Array(0);
    return bytes;
  }
  onArrival(): void {}
  async close(): Promise<void> {}
}

function setUp() {
  const time = new VirtualClock();
  const line = new TimedLine(time);
  const bus = new Bus({
    log: quietLog,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    name: 'bus',
    open: async () => line,
    makeClient,
    clock: time,
    random: { bytes: (n) => new Uint8Array(n), fraction: () => 0.99 },
    speed: serialSpeed(9_600, 'none', 1),
    shapes: true,
    makeFraming: (quarantine) => new RtuFraming(quarantine),
    requestMs: 1_000,
    connectMs: 1_000,
    minTimeoutMs: 100,
    restMs: 0,
  });
  const poll = async (unit: number) => {
    const result = bus.read(unit, 3, CHOICES, { periodMs: PERIOD_MS }).then(
      () => true,
      () => false,
    );
    return result;
  };
  /** Polls both units every period. */
  const pollFor = async (ms: number) => {
    for (let at = 0; at < ms; at += PERIOD_MS) {
      void poll(2);
      void poll(1);
      await time.advance(PERIOD_MS);
    }
  };
  return { time, line, bus, pollFor };
}

test('a silent unit is waited for no longer than those that answer, and a slow one is found all the same', async () => {
  const { time, line, bus, pollFor } = setUp();
  line.delayMs.set(2, 40);
  line.delayMs.set(1, null);
  await pollFor(120_000);
  const health = bus.units.get(1);
  expect(health?.silenceBeganAtMs).not.toBeNull();
  expect(health?.estimate.timeoutMs()).toBe(1_000);
  expect(bus.units.get(2)?.estimate.timeoutMs()).toBe(100);
  // The line is idle between the polls, so a probe keeps it until its wait is over.
  const probes = line.asked.filter(({ unit, atMs }) => unit === 1 && atMs > 60_000);
  expect(probes.length).toBeGreaterThan(2);
  // Slower than the time-out of the unit that answers.
  line.delayMs.set(1, 700);
  const sinceMs = time.monotonicMs();
  let seenMs: number | null = null;
  for (let i = 0; i < 60 && seenMs === null; i++) {
    await pollFor(PERIOD_MS);
    if (health?.silenceBeganAtMs === null) seenMs = time.monotonicMs();
  }
  expect(bus.stats.counts.late).toBeGreaterThan(0);
  expect((seenMs ?? Number.POSITIVE_INFINITY) - sinceMs).toBeLessThanOrEqual(30_000);
});

test('what is heard late is never used, and the shape of a probe is held as long as that of any request', async () => {
  const { line, bus, pollFor, time } = setUp();
  line.delayMs.set(2, 40);
  line.delayMs.set(1, null);
  await pollFor(60_000);
  const probed = line.asked.findLast(({ unit }) => unit === 1);
  expect(bus.quarantine.outstanding(1, time.monotonicMs())).toBeGreaterThan(0);
  // 12 times the whole first time-out, not 12 times that of the probe.
  expect(bus.quarantine.quarantineMs(1)).toBeGreaterThanOrEqual(12_000);
  expect(probed).toBeDefined();
});

test('a read of a silent unit says since when, and when it is asked again', async () => {
  const { line, bus, pollFor, time } = setUp();
  line.delayMs.set(2, 40);
  line.delayMs.set(1, null);
  await pollFor(60_000);
  const health = bus.units.get(1);
  const words = async () =>
    String(await bus.read(1, 3, CHOICES, { periodMs: PERIOD_MS }).catch((error: unknown) => error));
  const untilProbeMs = (health?.nextProbeAtMs ?? 0) - time.monotonicMs();
  expect(untilProbeMs).toBeGreaterThan(1_000);
  const sinceS = () => Math.round((time.monotonicMs() - (health?.silenceBeganAtMs ?? 0)) / 1_000);
  expect(sinceS()).toBeGreaterThan(10);
  expect(await words()).toBe(
    `ReadError: unit 1 on bus has not answered for ${sinceS()} s; the next probe is in ${Math.ceil(untilProbeMs / 1_000)} s`,
  );
  await time.advance(untilProbeMs - 10);
  // Others that do not answer keep the line for longer than the probe was due.
  for (const unit of [3, 4, 5, 6]) bus.read(unit, 3, CHOICES, { periodMs: PERIOD_MS }).catch(() => {});
  await time.advance(3_500);
  expect(time.monotonicMs()).toBeGreaterThan((health?.nextProbeAtMs ?? 0) + 2_000);
  expect(await words()).toMatch(/; the next probe is in 0 s$/);
});
