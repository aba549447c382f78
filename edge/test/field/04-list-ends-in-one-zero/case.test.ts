// Reported in sunspec/models #44 and evcc-io/evcc #31535: an inverter lists models 1 and 103, and then one register that
// is 0. The device answers a read of two registers there with exception 2.
import { expect, test } from 'vitest';
import { FieldCase } from '../../support/field-case.js';
import { SunspecDevice } from '../../support/sunspec-device.js';
import { wordsMeter } from '../../support/tcp-device.js';

const field = new FieldCase();
const ODD =
  'its SunSpec list is odd: model 103 at 40070 states length 50, after which only register 40122 follows, which is 0';
const OPTIONS = { profile: 'sunspec-inverter', role: 'production' };

function oneZero() {
  const device = new SunspecDevice([103]);
  device.words.delete(40_123);
  device.words.set(40_122, 0);
  return field.device({ meter: wordsMeter(device.words) });
}

test('the inverter is read, and its reading says what is odd', async () => {
  const { port } = await oneZero();
  const { reader } = field.open(port, OPTIONS);
  expect(await reader.read()).toMatchObject({ importWh: 0n, exportWh: 123_450n, powerW: 1_500 });
  expect(reader.notes()).toEqual([ODD]);
});

test('doctor reads the device, calls it well, and says what is odd', async () => {
  const { port } = await oneZero();
  expect(await field.doctor(port, OPTIONS)).toEqual({ isWell: true, said: [`note: bus lan, unit 1 (house): ${ODD}`] });
});
