import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { BusStats } from '../../src/domain/bus/stats.js';
import { Prober, RecordingFramer } from '../../src/domain/scan/prober.js';
import { type SerialSetting, speedOf } from '../../src/domain/scan/settings.js';
import { ScanLine } from '../support/scan-line.js';

const serial = (parity: SerialSetting['parity']): SerialSetting => ({
  transport: 'serial',
  baud: 9_600,
  parity,
  stopBits: 1,
});
/** A line that is reopened with another parity receives what is still in flight, as a pty does. */
const SETTINGS = [serial('none'), serial('even')] as const;
const WAIT_MS = 100;
/** The whole wait of the longest question, from which the quarantine is computed. */
const LONGEST_MS = WAIT_MS + (13 + 20) * speedOf(SETTINGS[1]).charMs;

interface Step {
  readonly unit: number;
  readonly count: number;
  readonly address: number;
  readonly isEven: boolean;
  /** Lateness of its answer, as a part of the longest lateness; null: in time. */
  readonly late: number | null;
}
const stepsOf = (units: number, ...counts: readonly number[]) =>
  fc.array(
    fc.record({
      unit: fc.integer({ min: 1, max: units }),
      count: fc.constantFrom(...counts),
      address: fc.integer({ min: 0, max: 60_000 }),
      isEven: fc.boolean(),
      late: fc.oneof(fc.constant(null), fc.double({ min: 0, max: 1, noNaN: true })),
    }),
    { minLength: 20, maxLength: 60 },
  );

/** The control: a quarantine of a fixed length. */
class ShortQuarantine extends ReplyQuarantine {
  readonly #insteadMs: number;
  constructor(insteadMs: number) {
    super(USUAL_RULES);
    this.#insteadMs = insteadMs;
  }
  override quarantineMs(): number {
    return this.#insteadMs;
  }
}

/** Asks on a line whose answers come up to `latestMs` late. Counts the answers that belong to another question. */
async function wrongAnswers(list: readonly Step[], latestMs: number, insteadMs?: number) {
  const clock = new VirtualClock({ startAtMs: 0 });
  // Every register holds its own address, so that an answer shows its question.
  const meter = (_fn: number, address: number, count: number) =>
    Uint8Array.from({ length: 2 * count }, (_, i) =>
      i % 2 === 0 ? (address + (i >> 1)) >> 8 : (address + (i >> 1)) & 0xff,
    );
  const meters = [1, 2, 3].flatMap((unit) => SETTINGS.map((setting) => ({ unit, setting, meter })));
  const line = new ScanLine(clock, meters);
  line.keepsBytes = true;
  let late: number | null = null;
  line.bend = (answer, delayMs) => ({ answer, delayMs: late === null ? delayMs : delayMs + WAIT_MS + late * latestMs });
  const quarantine = insteadMs === undefined ? new ReplyQuarantine(USUAL_RULES) : new ShortQuarantine(insteadMs);
  const framing = new RecordingFramer(new RtuFraming(quarantine), 0);
  const stats = new BusStats();
  let wrong = 0;
  let right = 0;
  const run = async () => {
    for (const step of list) {
      const setting = SETTINGS[step.isEven ? 1 : 0];
      const opened = await line.open(setting);
      const prober = new Prober({ line: opened, speed: speedOf(setting), framing, quarantine, stats, clock: clock });
      late = step.late;
      const { unit, address, count } = step;
      const heard = await prober.ask({ unit, fn: 3, address, count }, WAIT_MS);
      if (heard.what !== 'answer') continue;
      if (Buffer.from(heard.data).equals(Buffer.from(meter(3, address, count)))) right++;
      else wrong++;
    }
  };
  await clock.run(run());
  return { wrong, right };
}

describe('a question of a scan', () => {
  test('never gets the answer to another one, however late that is, at whatever setting', async () => {
    let right = 0;
    await fc.assert(
      fc.asyncProperty(stepsOf(3, 2, 4, 6, 8, 10), async (list) => {
        const figures = await wrongAnswers(list, 10 * LONGEST_MS);
        expect(figures.wrong).toBe(0);
        right += figures.right;
      }),
      { numRuns: 60 },
    );
    expect(right).toBeGreaterThan(300);
  });

  test('gets it when the quarantine is half as long as answers are late: the property can fail', async () => {
    let wrong = 0;
    for (const list of fc.sample(stepsOf(1, 2, 4), { numRuns: 60, seed: 7 }))
      wrong += (await wrongAnswers(list, 10 * LONGEST_MS, 5 * LONGEST_MS)).wrong;
    expect(wrong).toBeGreaterThan(0);
  });
});
