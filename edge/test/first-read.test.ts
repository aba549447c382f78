import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { firstRead, firstSerial } from '../src/domain/commissioning/first-read.js';
import { type MeterSample, ReadError, ReadFailure } from '../src/domain/ports.js';

const sampleOf = (steadyMs: number, wh: number, more: Partial<MeterSample> = {}): MeterSample => ({
  ...{ timeMs: steadyMs, steadyMs, uncertaintyMs: 5, importWh: BigInt(wh), exportWh: 0n, powerW: 0 },
  ...{ voltageDv: null, frequencyChz: null, raw: new Uint8Array(1), resolutionWh: 1n, against: [], ...more },
});

/** Reads with the given answers; the last one repeats. */
async function read(
  answers: readonly (number | Partial<MeterSample> | ReadError)[],
  checkProbe?: () => Promise<readonly string[]>,
) {
  const clock = new VirtualClock();
  let reads = 0;
  const lines: string[] = [];
  const reader = {
    read: async () => {
      const answer = answers[Math.min(reads++, answers.length - 1)] ?? 0;
      if (answer instanceof ReadError) throw answer;
      const at = clock.monotonicMs();
      return typeof answer === 'number' ? sampleOf(at, answer) : sampleOf(at, 0, answer);
    },
  };
  const limits = { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 };
  const progress = (words: string) => void lines.push(words);
  const found = firstRead({ reader, checkProbe, limits, clock, progress }).then(
    ({ sample, question }) => ({ wh: sample.importWh, question, error: null }),
    (error: Error) => ({ wh: null, question: null, error: error.message }),
  );
  await clock.advance(60_000);
  return { ...(await found), reads, lines };
}

describe('the first registers of a meter', () => {
  test('are believed after three samples that go on, with a line for each', async () => {
    expect(await read([180_200, 180_200, 180_203])).toMatchObject({
      ...{ wh: 180_203n, question: null, reads: 3 },
      lines: ['180.200/0.000 kWh, read 1 of 3', '180.200/0.000 kWh, read 2 of 3', '180.203/0.000 kWh, read 3 of 3'],
    });
  });

  test.each([
    ['a wild total first', [5_000_000, 180_200]],
    ['a wild total in between', [180_200, 180_200, 5_000_000, 180_200]],
    ['zeros while it wakes up', [0, 0, 180_200]],
    ['no value in between', [180_200, 180_200, new ReadError(ReadFailure.noValue, 'not available'), 180_200]],
    ['silence in between', [180_200, new ReadError(ReadFailure.timeout, 'no answer'), 180_200]],
  ])('are the true ones after %s', async (_, answers) => {
    expect(await read(answers)).toMatchObject({ wh: 180_200n, question: null });
  });

  test('are refused where the profile is another meter, with what speaks against it', async () => {
    const { error } = await read([{ importWh: 5n }], async () => ['voltage is 0, not 80 to 300']);
    expect(error).toContain('does not look like its profile: voltage is 0, not 80 to 300. Is the profile right?');
    expect((await read([{ against: ['frequency is 900, not 45 to 65'] }])).error).toContain('frequency is 900');
  });

  test('ask a person at exactly zero under power, and only then', async () => {
    expect((await read([{ powerW: 1_500 }])).question).toContain('0.000/0.000 kWh while it shows 1500 W');
    expect((await read([{ powerW: -1_500 }])).question).toContain('1500 W');
    expect((await read([{ powerW: 30 }])).question).toBeNull();
    expect((await read([{ powerW: 1_500, exportWh: 1n }])).question).toBeNull();
  });

  test('of a meter that does not answer end with its words', async () => {
    const { error, reads } = await read([new ReadError(ReadFailure.timeout, 'no answer in time')]);
    expect([error, reads]).toEqual(['cannot be read: no answer in time', 20]);
  });
});

describe('the serial number at an enrolment', () => {
  const answers = (list: readonly (string | null | ReadError)[]) => {
    let reads = 0;
    const read = async () => {
      const answer = list[Math.min(reads++, list.length - 1)] ?? null;
      if (answer instanceof ReadError) throw answer;
      return answer;
    };
    return { read, reads: () => reads };
  };

  test.each([
    ['is what the meter shows', ['A1'], 'A1', 1],
    ['is read again after silence', [new ReadError(ReadFailure.timeout, 'no answer'), 'A1'], 'A1', 2],
    [
      'is null where the meter refuses the register',
      [new ReadError(ReadFailure.exception, 'exception 2'), 'A1'],
      null,
      1,
    ],
    ['is null after twenty reads without an answer', [new ReadError(ReadFailure.resting, 'resting')], null, 20],
  ] as const)('%s', async (_, list, expected, count) => {
    const clock = new VirtualClock();
    const { read, reads } = answers(list);
    expect([await clock.run(firstSerial(read, clock)), reads()]).toEqual([expected, count]);
  });

  test('is null where the profile has no register for it', async () => {
    expect(await firstSerial(undefined, new VirtualClock())).toBeNull();
  });
});
