// Reported in binsentsu/home-assistant-solaredge-modbus #107: an inverter takes one connection. It accepts a second one
// and closes it at once.
import { systemClock } from '@gridtokenx/runtime/node';
import { expect, test } from 'vitest';
import { socketLine } from '../../../src/adapters/modbus/lines.js';
import { loadSunspecModels } from '../../../src/adapters/profiles/files.js';
import { networkPlan } from '../../../src/domain/scan/plan.js';
import { Scan } from '../../../src/domain/scan/scan.js';
import { FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';

const field = new FieldCase();
const OPTIONS = { profile: 'eastron-sdm630' };
const SAID = /another program may hold its only connection. Stop that program/;

/** `isFree`: returns true once the other program is gone. */
const inverter = (isFree: () => boolean, end: 'end' | 'resetAndDestroy' = 'end') =>
  field.device({
    meter: profileMeter('eastron-sdm630'),
    accepted: (socket) => {
      if (!isFree()) socket[end]();
    },
  });

test.each(['end', 'resetAndDestroy'] as const)(
  'run says who may hold the connection (%s), and reads once it is free',
  async (end) => {
    let isFree = false;
    const { port } = await inverter(() => isFree, end);
    const { reader } = field.open(port, OPTIONS);
    for (let polls = 0; polls < 3; polls++) await expect(reader.read()).rejects.toThrow(SAID);
    isFree = true;
    await expect.poll(() => reader.read().catch(() => null)).toMatchObject({ importWh: 1_234_560n });
  },
);

test('doctor says the same', { timeout: 20_000 }, async () => {
  const { port } = await inverter(() => false);
  expect(await field.doctor(port, OPTIONS)).toEqual({ isWell: false, said: [expect.stringMatching(SAID)] });
});

test('scan says the same', { timeout: 20_000 }, async () => {
  const { port } = await inverter(() => false);
  const scan = new Scan({
    ...{ stages: networkPlan('tcp'), profiles: [], models: loadSunspecModels() },
    open: () => socketLine('127.0.0.1', port)(),
    ...{ clock: systemClock, firstId: 7, signal: new AbortController().signal },
    ...{ onFound: () => {}, onNote: () => {}, onProgress: () => {}, onState: () => {} },
  });
  await expect(scan.run()).rejects.toThrow(SAID);
});
