/**
 * Plays a Chint DTSU666 whose counters stand at 401Eh and 4028h, with zeros at 101Eh and 1028h, at 1,500 W.
 * Reported for lmatula/ha_chint_pm #16.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { shippedProfiles } from '../../../src/adapters/profiles/files.js';
import { believedSample } from '../../../src/cli/first-enrolment.js';
import type { MeterSample } from '../../../src/domain/ports.js';
import type { SetUpMeter } from '../../../src/wiring/setup.js';

const sample: MeterSample = {
  ...{ timeMs: 1, steadyMs: 1, uncertaintyMs: 1, importWh: 0n, exportWh: 0n, powerW: 1_500 },
  ...{ voltageDv: 2_300, frequencyChz: 5_000, raw: new Uint8Array(1), resolutionWh: 1n, against: [] },
};
const meter = {
  config: { name: 'house', profile: 'chint-dtsu666-a', import_limit_w: 10_000, export_limit_w: 10_000 },
  line: { reader: { read: async () => sample }, checkProbe: async () => [] },
} as unknown as SetUpMeter;

test('the enrolment asks a person, and names the profile with the counters elsewhere', async () => {
  await expect(believedSample(meter, [], null)).rejects.toThrow(
    /^meter house: its counters stand at 0.000\/0.000 kWh while it shows 1500 W: .*; try profile chint-dtsu666-b \(.*\)\. Where it is new, run enrol with --new-meter house$/,
  );
}, 20_000);

test("a profile of the user's own for the same model is named too", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gridtokenx-variant-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const text = readFileSync(join(shippedProfiles, 'chint-dtsu666-b.yaml'), 'utf8');
  writeFileSync(join(folder, 'my-chint.yaml'), text.replace('id: chint-dtsu666-b', 'id: my-chint'));
  writeFileSync(join(folder, 'broken.yaml'), 'id: broken');
  await expect(believedSample(meter, [], null, folder)).rejects.toThrow(
    /; try profile chint-dtsu666-b \(.*\) or my-chint \(.*\)\. Where it is new/,
  );
  const own = { ...meter, config: { ...meter.config, profile: 'my-chint' } } as SetUpMeter;
  await expect(believedSample(own, [], null, folder)).rejects.toThrow(/; try profile chint-dtsu666-a/);
}, 20_000);

test('a person at the terminal decides', async () => {
  const questions: string[] = [];
  const answer = (isNew: boolean) => async (question: string) => {
    questions.push(question);
    return isNew;
  };
  await expect(believedSample(meter, [], answer(true))).resolves.toBe(sample);
  await expect(believedSample(meter, [], answer(false))).rejects.toThrow('--new-meter house');
  await expect(believedSample(meter, ['house'], null)).resolves.toBe(sample);
  expect(questions[0]).toContain('Is it a new meter?');
}, 20_000);
