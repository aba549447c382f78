import { GapReason, Reason } from '@gridtokenx/protocol';
import { JournalBuilder, meterOf, type Signed, START_MS, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeSet } from '../../src/domain/verdicts/judge-set.js';
import { dueAtMs, FAR_FUTURE_MS } from '../../src/domain/verdicts/limits.js';

const meter = meterOf(1);
const NOW = START_MS + 86_400_000;
const builder = () => new JournalBuilder(meter, signerOf(1));

function judged(log: readonly Signed[], nowMs = NOW) {
  const result = judgeSet(
    log.map((message) => ({ ...message, arrivedAtMs: nowMs, registryIsNewer: true })),
    meter,
    nowMs,
  );
  const codes = log.map(({ hash }) => result.judgements.get(Buffer.from(hash).toString('hex'))?.verdict.code ?? -1);
  return { codes, storedThrough: result.storedThrough };
}

/** Builds an honest log with more values between readings, before and behind a statement. */
function honest(): Signed[] {
  const b = builder();
  return [
    ...[b.enrolment(), b.moreValues(), b.reading(), b.moreValues(), b.moreValues(), b.reading(), b.statement()],
    ...[b.moreValues(), b.reading(), b.statement(), b.event(), b.moreValues(), b.reading()],
  ];
}

test('more values are stored and acknowledged, and break neither chain nor root, in any order of arrival', () => {
  const log = honest();
  expect(judged(log)).toEqual({ codes: log.map(() => 0), storedThrough: BigInt(log.length) });
  fc.assert(
    fc.property(fc.shuffledSubarray(log, { minLength: log.length }), (shuffled) => {
      expect(judged(shuffled)).toEqual({ codes: log.map(() => 0), storedThrough: BigInt(log.length) });
    }),
    { numRuns: 50 },
  );
});

test('a reading waits for more values that may still come, and passes a gap that declares them thinned', () => {
  const b = builder();
  const log = [b.enrolment(), b.reading(), b.moreValues(), b.reading()];
  const without = log.filter((_, i) => i !== 2);
  expect(judged(without)).toEqual({ codes: [0, 0, Reason.predecessorPending], storedThrough: 2n });
  b.seq = 2n;
  const thinned = [...log.slice(0, 2), b.gap(1, GapReason.thinned), log[3] as Signed].slice(0, 3);
  expect(judged(thinned)).toEqual({ codes: [0, 0, 0], storedThrough: 4n });
});

test('the time of more values is judged as a reading is, and an unknown time is not judged', () => {
  const b = builder();
  const [enrolment, early] = [b.enrolment(), b.moreValues({ timeMs: BigInt(START_MS - 86_400_000) })];
  expect(judged([enrolment, early]).codes).toEqual([0, Reason.beforeEnrolment]);
  const ahead = b.moreValues({ timeMs: BigInt(NOW + 120_000) });
  const far = b.moreValues({ timeMs: BigInt(NOW + FAR_FUTURE_MS + 120_000) });
  const unknown = b.moreValues({ timeMs: BigInt(NOW + 120_000), timeUncertaintyMs: null });
  expect(judged([enrolment, ahead, far, unknown]).codes).toEqual([0, Reason.fromTheFuture, Reason.farFuture, 0]);
  expect([dueAtMs(ahead.payload), dueAtMs(unknown.payload)]).toEqual([NOW + 120_000 - 50 - 60_000, null]);
});
