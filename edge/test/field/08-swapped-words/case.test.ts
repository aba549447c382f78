/**
 * Plays an SDM630 whose floats have the other word order, new at 0/0 kWh, then 0.5, 1.0 and 100.0 kWh.
 * Reported for snaptec/openWB #1861 and arendst/Tasmota #17467.
 */
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { loadProfile } from '../../../src/adapters/profiles/files.js';
import { firstRead } from '../../../src/domain/commissioning/first-read.js';
import type { MeterSample } from '../../../src/domain/ports.js';
import { failedChecks, judgeProbe } from '../../../src/profiles/probe.js';
import type { ModbusProfile } from '../../../src/profiles/profile.js';
import { type Block, decodeSample } from '../../../src/profiles/sample.js';
import { profileMeter, VALUES } from '../../support/profile-meter.js';

const profile = loadProfile('eastron-sdm630') as ModbusProfile;

/** Reads the registers of the profile's polls from a meter whose words lie in the other order. */
function swappedBlocks(importWh: number): Block[] {
  const meter = profileMeter('eastron-sdm630', { values: { ...VALUES, import: importWh, export: 0 } });
  const data = meter(4, 0, 80) as Uint8Array;
  for (let at = 0; at < data.length; at += 4)
    data.set([...data.subarray(at + 2, at + 4), ...data.subarray(at, at + 2)], at);
  return [{ function: 4, address: 0, data }];
}

test.each([0, 500, 1_000, 100_000])('at %d Wh the probe fails in voltage and frequency', (importWh) => {
  const { fits, against } = judgeProbe(profile, swappedBlocks(importWh));
  expect(fits).toBe(false);
  expect(against.join()).toMatch(/voltage/);
  expect(failedChecks(profile.probe, decodeSample(profile, swappedBlocks(importWh))).length).toBeGreaterThan(0);
});

test('an enrolment of such a meter is refused, with what the meter shows', async () => {
  const clock = new VirtualClock();
  const reader = {
    read: async (): Promise<MeterSample> => ({
      ...{ timeMs: 1, steadyMs: clock.monotonicMs(), uncertaintyMs: 1, importWh: 0n, exportWh: 0n, powerW: null },
      ...{ voltageDv: null, frequencyChz: null, raw: new Uint8Array(1), resolutionWh: 1n, against: [] },
    }),
  };
  const limits = { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 };
  const checkProbe = async () => judgeProbe(profile, swappedBlocks(0)).against;
  const found = firstRead({ reader, checkProbe, limits, clock, progress: () => {} }).catch((error: Error) => error);
  await clock.advance(30_000);
  expect((await found) as Error).toMatchObject({
    message: expect.stringMatching(/^does not look like its profile: .*voltage.*"scan" finds the right one$/),
  });
});
