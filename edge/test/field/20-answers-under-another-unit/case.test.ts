// Reported in emelianov/modbus-esp8266 #356 and Apollo3zehn/FluentModbus #84: a device answers under unit 0 or 255,
// whatever unit the request names. The transaction id is right.
import { describe, expect, test } from 'vitest';
import { parseGatewayConfig } from '../../../src/wiring/config.js';
import { configTextOf, FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';
import { replyOf } from '../../support/tcp-device.js';

const field = new FieldCase();
const PROFILE = 'eastron-sdm630';
const ALLOWED = { profile: PROFILE, meter: { any_unit: true } };

const deviceOf = (unit: number, transaction = 0, code = 0) =>
  field.device({
    meter: code === 0 ? profileMeter(PROFILE) : () => code,
    reply: (request, answer) => replyOf(request, answer, { unit, transaction: request.transaction + transaction }),
  });

describe.each([0, 255])('a device that answers under unit %i', (unit) => {
  test('is read with any_unit: true', async () => {
    const { port } = await deviceOf(unit);
    const { reader } = field.open(port, ALLOWED);
    expect(await reader.read()).toMatchObject({ importWh: 1_234_560n, exportWh: 654_320n, powerW: 1_230 });
  });

  test('is refused without the key, and the message names the key', async () => {
    const { port } = await deviceOf(unit);
    const { reader } = field.open(port, { profile: PROFILE });
    await expect(reader.read()).rejects.toThrow(
      `unit ${unit} answers for unit 1: where the device answers so to every request, write any_unit: true for its meter`,
    );
  });

  test('is refused under a foreign transaction id, with the key, too', async () => {
    const { port } = await deviceOf(unit, 1);
    const { reader } = field.open(port, ALLOWED);
    await expect(reader.read()).rejects.toThrow(/which was not sent/);
  });

  test('may refuse a read', async () => {
    const { port } = await deviceOf(unit, 0, 4);
    const { reader } = field.open(port, ALLOWED);
    await expect(reader.read()).rejects.toThrow(/exception 4/);
  });
});

test.each([
  { transport: 'tcp', converter: true },
  { transport: 'rtu-over-tcp' },
  { transport: 'serial', host: undefined, port: undefined, path: '/dev/ttyUSB0' },
])('any_unit is one line of a fault on %j', (bus) => {
  expect(() => parseGatewayConfig(configTextOf(502, { ...ALLOWED, bus }), 'g.yaml')).toThrow(
    /^g\.yaml:1: meters\.0\.any_unit: "lan" is no direct TCP device: only the unit distinguishes its meters/,
  );
});
