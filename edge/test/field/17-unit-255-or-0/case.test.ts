// Reported in volkszaehler/mbmd #61, BiancoRoyal/node-red-contrib-modbus #188 and pymodbus-dev/pymodbus #2571: devices
// with a connection of their own answer unit 255 or 0 only.

import { systemClock } from '@gridtokenx/runtime/node';
import { describe, expect, test } from 'vitest';
import { socketLine } from '../../../src/adapters/modbus/lines.js';
import { loadProfiles, loadSunspecModels } from '../../../src/adapters/profiles/files.js';
import { networkPlan } from '../../../src/domain/scan/plan.js';
import { Scan } from '../../../src/domain/scan/scan.js';
import { parseGatewayConfig } from '../../../src/wiring/config.js';
import { configTextOf, FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';
import { replyOf } from '../../support/tcp-device.js';

const field = new FieldCase();
const PROFILE = 'eastron-sdm630';

/** A device that answers one unit, and is silent for all others. */
const deviceOf = (unit: number) =>
  field.device({
    meter: profileMeter(PROFILE),
    reply: (request, answer) => (request.unit === unit ? replyOf(request, answer) : null),
  });

describe.each([255, 0])('unit %i', (unit) => {
  test('is read on Modbus TCP', async () => {
    const { port } = await deviceOf(unit);
    const { reader } = field.open(port, { profile: PROFILE, unit });
    expect(await reader.read()).toMatchObject({ importWh: 1_234_560n, powerW: 1_230 });
  });

  test('is found by scan when no other unit answers', async () => {
    const { port } = await deviceOf(unit);
    const scan = new Scan({
      stages: networkPlan('tcp').filter(({ isLastResort }) => isLastResort),
      profiles: [...loadProfiles().values()],
      models: loadSunspecModels(),
      open: () => socketLine('127.0.0.1', port)(),
      ...{ clock: systemClock, firstId: 7, signal: new AbortController().signal },
      ...{ onFound: () => {}, onNote: () => {}, onProgress: () => {}, onState: () => {} },
    });
    const { found } = await scan.run();
    expect(found.map((one) => one.unit)).toEqual([unit]);
    expect(found[0]?.fits.map(({ profile }) => profile)).toContain(PROFILE);
  });

  test.each([
    { transport: 'rtu-over-tcp' },
    { transport: 'serial', host: undefined, port: undefined, path: '/dev/ttyUSB0' },
  ])('is one line of a fault on %j', (bus) => {
    const text = configTextOf(502, { profile: PROFILE, unit, bus });
    expect(() => parseGatewayConfig(text, 'g.yaml')).toThrow(
      /^g\.yaml:1: meters\.0\.unit: expected 1 to 247, or 0 or 255 on a bus with transport: tcp/,
    );
  });
});

test('no other unit above 247 is accepted, on Modbus TCP either', () => {
  expect(() => parseGatewayConfig(configTextOf(502, { profile: PROFILE, unit: 248 }), 'g.yaml')).toThrow(/0 or 255/);
  expect(() => parseGatewayConfig(configTextOf(502, { profile: PROFILE, unit: 256 }), 'g.yaml')).toThrow(/unit: /);
});
