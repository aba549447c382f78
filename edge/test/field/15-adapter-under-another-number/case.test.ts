/**
 * Plays a USB adapter that comes back under another number.
 * Reported for nathanmarlor/foxess_modbus #925 and BlackZork/mqmgateway #9.
 */
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@gridtokenx/runtime/node';
import { simulateMeter, startPtyBus } from '@gridtokenx/simulators';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stablePath } from '../../../src/cli/stable-path.js';
import { parseGatewayConfig } from '../../../src/wiring/config.js';
import { closeBuses, lineOf, openBuses } from '../../../src/wiring/readers.js';
import { configTextOf } from '../../support/field-case.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

test('scan writes the path of the adapter, not its number', () => {
  const folder = join(directory.path, 'by-id');
  mkdirSync(folder);
  const [first, second] = ['ttyUSB0', 'ttyUSB1'].map((name) => join(directory.path, name));
  if (!first || !second) throw new Error('no ports');
  for (const port of [first, second]) writeFileSync(port, '');
  const link = join(folder, 'usb-FTDI_FT232R_A50285BI-if00-port0');
  symlinkSync('../ttyUSB1', link);
  symlinkSync('../ttyUSB7', join(folder, 'usb-gone'));
  expect(stablePath(second, folder)).toBe(link);
  expect(stablePath(first, folder)).toBe(first);
  expect(stablePath(link, folder)).toBe(link);
  expect(stablePath('/dev/none', folder)).toBe('/dev/none');
  expect(stablePath(first, '/nowhere')).toBe(first);
  // The adapter returns as ttyUSB0.
  unlinkSync(link);
  symlinkSync('../ttyUSB0', link);
  expect(stablePath(first, folder)).toBe(link);
});

test('the meter is read again on the new number, by the same path', { timeout: 60_000 }, async () => {
  const link = join(directory.path, 'adapter');
  const meters = [simulateMeter({ profile: 'eastron-sdm630', unit: 1, settings: { baud: 9_600 } })];
  let bus = startPtyBus({ meters, link });
  const serial = {
    transport: 'serial',
    path: link,
    baud: 9_600,
    rest_at_start_ms: 0,
    host: undefined,
    port: undefined,
  };
  const config = parseGatewayConfig(configTextOf(1, { profile: 'eastron-sdm630', bus: serial }), 'gateway.yaml');
  const buses = openBuses(config, systemClock);
  const [meter] = config.meters;
  if (!meter) throw new Error('no meter');
  const readingClock = {
    ...{ nowMs: () => systemClock.nowMs(), steadyMs: () => systemClock.monotonicMs(), uncertaintyMs: () => null },
  };
  const { reader } = lineOf(config, meter, { buses, readingClock: readingClock as never, clock: systemClock });
  const reads = () =>
    expect.poll(
      () =>
        reader.read().then(
          ({ importWh }) => importWh,
          () => null,
        ),
      { timeout: 20_000, interval: 50 },
    );
  try {
    await reads().not.toBeNull();
    await bus.close();
    bus = startPtyBus({ meters, link });
    await reads().not.toBeNull();
  } finally {
    await closeBuses(buses);
    await bus.close();
  }
});
