// Reported in kellerza/sunsynk #680: a converter in its Modbus TCP mode answers under the next transaction id; the data
// is right. Nothing proves that such an answer belongs to the request, so it is never used.
import { expect, test } from 'vitest';
import { ReadFailure } from '../../../src/domain/ports.js';
import { FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';
import { replyOf } from '../../support/tcp-device.js';

const field = new FieldCase();
const OPTIONS = { profile: 'eastron-sdm630' };
const ADVICE =
  /an answer to request \d+, which was not sent: set the converter to transparent mode, and write transport: rtu-over-tcp$/;

const converter = () =>
  field.device({
    meter: profileMeter('eastron-sdm630'),
    reply: (request, answer) => replyOf(request, answer, { transaction: (request.transaction + 1) % 65_536 }),
  });

test('run refuses the answer, and says what to set', async () => {
  const { port } = await converter();
  const { reader, bus } = field.open(port, OPTIONS);
  await expect(reader.read()).rejects.toMatchObject({
    failure: ReadFailure.connection,
    message: expect.stringMatching(ADVICE),
  });
  expect(bus.stats.counts).toMatchObject({ answers: 0, violations: 1 });
});

test('doctor says it, too', { timeout: 20_000 }, async () => {
  const { port } = await converter();
  const { isWell, said } = await field.doctor(port, OPTIONS);
  expect([isWell, said]).toEqual([false, [expect.stringMatching(ADVICE)]]);
});
