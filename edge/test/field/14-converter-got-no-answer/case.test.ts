// Reported in RichiH/modbus_exporter #69 and node-modbus/stream #82: a converter answers exception 0x0B now and then,
// when its meter gave it no answer. Here it is each third request.
import { expect, test } from 'vitest';
import { busProblems } from '../../../src/domain/bus/messages.js';
import { ReadFailure } from '../../../src/domain/ports.js';
import { FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';
import { replyOf } from '../../support/tcp-device.js';

const field = new FieldCase();
const PROFILE = 'eastron-sdm630';

/** A converter that answers each `every`th request with an exception. */
const converter = (code: number, every: number) =>
  field.device({
    meter: profileMeter(PROFILE),
    reply: (request, answer, index) => replyOf(request, index % every === 0 ? code : answer),
  });

test.each([
  [
    11,
    'unit 1: the converter got no answer from the meter: check the unit number, and speed and line behind the converter (exception 11)',
  ],
  [10, 'unit 1: the converter got no answer from the meter, because it has no path to it (exception 10)'],
])('a poll that meets exception %i says so', async (code, message) => {
  const { port } = await converter(code, 1);
  const { reader } = field.open(port, { profile: PROFILE });
  await expect(reader.read()).rejects.toMatchObject({ failure: ReadFailure.exception, message });
});

test('the other polls read right values, and status does not blame the profile', async () => {
  const { port } = await converter(11, 3);
  const { reader, bus } = field.open(port, { profile: PROFILE });
  const good = [];
  for (let polls = 0; polls < 30; polls++) good.push(await reader.read().catch(() => null));
  const read = good.filter((sample) => sample !== null);
  expect(read.length).toBeGreaterThanOrEqual(10);
  for (const sample of read) expect(sample).toMatchObject({ importWh: 1_234_560n, exportWh: 654_320n });
  expect(busProblems(bus, 0)).toEqual([
    expect.stringMatching(/^lan, unit 1: for 3\d % of the requests the converter got no answer from the meter/),
  ]);
});
