import { EventCode, GapReason, Reason } from '@gridtokenx/protocol';
import { NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { expect, it } from 'vitest';

const meter = meterOf(1);

it('a message is judged by the record of the commit, not by that of its admission', () => {
  const registry = new FakeRegistry(meter);
  const test = testLedger(registry);
  const log = new JournalBuilder(meter, signerOf(1));
  const [enrolment, plain] = [log.enrolment(), log.reading({}, { exportWh: 100n })];
  test.take([enrolment]);
  const admitted = test.arrival(plain.message);
  // Between admission and commit the registry says that the connection carries next to nothing.
  registry.set({ ...meter, exportLimitW: 1, registerStepWh: 0 });
  test.ledger.take([admitted], NOW_MS);
  expect(test.verdictOf(plain)).toBe(Reason.abovePhysicalLimit);
});

it('a message of a key that the newer record does not have is judged by the record of its admission', () => {
  const registry = new FakeRegistry(meter);
  const test = testLedger(registry);
  const log = new JournalBuilder(meter, signerOf(1));
  test.take([log.enrolment()]);
  const reading = log.reading();
  const admitted = test.arrival(reading.message);
  registry.set({ ...meter, key: signerOf(8).publicKey, previousKey: signerOf(9).publicKey, keyEpoch: 2 });
  test.ledger.take([admitted], NOW_MS);
  expect(test.verdictOf(reading)).toBe(0);
});

it('what was acknowledged stays acknowledged when a lower part of the stream is judged again', () => {
  const test = testLedger(new FakeRegistry(meter));
  const log = new JournalBuilder(meter, signerOf(1));
  const window = () => [log.reading(), log.reading(), log.statement()];
  const first = [log.enrolment(), ...window()];
  // A window without readings, whose statement is declared lost and comes after all.
  log.timeMs += 60_000;
  const late = log.statement();
  const data = new Uint8Array(16);
  data[0] = GapReason.thinned;
  const gap = log.event({ code: EventCode.gap, value: late.payload.seq, detail: 1, data });
  const rest = Array.from({ length: 8 }, window).flat();
  test.take([...first, gap, ...rest]);
  const all = log.seq;
  expect(test.mark(meter.meterId)?.storedThrough).toBe(all);
  test.take([late]);
  expect(test.isDirty()).toBe(false);
  expect(test.verdictOf(late)).toBe(0);
  expect(test.mark(meter.meterId)?.storedThrough).toBe(all);
});
