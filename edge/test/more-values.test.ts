import { ed25519Signer, Kind, ValueCode } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { loadProfiles, loadSunspecModels } from '../src/adapters/profiles/files.js';
import { type FurtherSample, ReadError, ReadFailure } from '../src/domain/ports.js';
import { signMessage } from '../src/domain/signed-message.js';
import { moreValuesPayload } from '../src/domain/signing/meter-payloads.js';
import { KeyReporter } from '../src/domain/spool-report.js';
import { furtherRegisters, polledRegisters } from '../src/planner/wanted.js';
import { MORE_KEYS, VALUE_NAMES } from '../src/profiles/more-values.js';
import { FieldCase } from './support/field-case.js';
import { METER, METER_HEX, NETWORK } from './support/messages.js';
import { MINUTE, rising, START, setUp } from './support/meter-polls.js';
import { profileMeter } from './support/profile-meter.js';
import { SunspecDevice } from './support/sunspec-device.js';
import { wordsMeter } from './support/tcp-device.js';

const line = new FieldCase();
const named = (sample: FurtherSample | null | undefined) =>
  Object.fromEntries((sample?.values ?? []).map(({ code, value }) => [VALUE_NAMES.get(code)?.name, value]));

const THREE_PHASES = {
  ...{ voltage_l1: 2_310, voltage_l2: 2_297, voltage_l3: 2_304, current_l1: 6_500, current_l2: 0, current_l3: 12_345 },
  ...{ reactive_power: -420, power_factor: 987 },
};
const VALUES = {
  ...{ voltage_l2: 229.7, voltage_l3: 230.4, current_l1: 6.5, current_l2: 0, current_l3: 12.345 },
  ...{ reactive_power: -420, power_factor: 0.987, reactive_import: 5_000, reactive_export: 70 },
};

describe('the values beside energy', () => {
  test.each([
    ['eastron-sdm630', { ...THREE_PHASES, reactive_import: 5_000, reactive_export: 70 }],
    ['eastron-sdm72-v2', THREE_PHASES],
    [
      'eastron-sdm120',
      {
        ...{ voltage_l1: 2_310, current_l1: 6_500, reactive_power: -420, power_factor: 987 },
        ...{ reactive_import: 5_000, reactive_export: 70 },
      },
    ],
    ['abb-b2x', {}],
  ])('of %s are read by its profile', async (profile, expected) => {
    const { port } = await line.device({ meter: profileMeter(profile, { values: VALUES }) });
    const { reader } = line.open(port, { profile });
    const sample = await reader.further?.();
    expect(named(sample)).toEqual(expected);
    const codes = (sample?.values ?? []).map(({ code }) => code);
    expect(codes).toEqual([...codes].sort((a, b) => a - b));
  });

  test.each([
    ['sunspec-inverter', 103, 'production', { power_factor: 10, temperature: 415 }],
    ['sunspec-inverter', 113, 'production', { power_factor: 10, temperature: 415 }],
    ['sunspec-meter', 203, 'point', { power_factor: 10 }],
    ['sunspec-meter', 213, 'point', { power_factor: 980 }],
    ['sunspec-der', 701, 'point', { power_factor: 980, temperature: 415, reactive_import: 5_000, reactive_export: 70 }],
  ])('of %s with model %i are read by its list', async (profile, model, role, expected) => {
    const device = new SunspecDevice([model]);
    const { port } = await line.device({ meter: wordsMeter(device.words) });
    const { reader } = line.open(port, { profile, role });
    const voltages = { voltage_l1: 2_301, voltage_l2: 2_297, voltage_l3: 2_304 };
    const currents = { current_l1: 6_500, current_l2: 200, current_l3: 12_300 };
    // The integer models state a percentage: 0.98 of it is 0.01 of the whole.
    expect(named(await reader.further?.())).toEqual({ ...voltages, ...currents, reactive_power: -420, ...expected });
  });

  test('that a meter lacks are left out, and a poll never waits for them', async () => {
    const whole = profileMeter('eastron-sdm630', { values: VALUES });
    const { port } = await line.device({
      meter: (fn, address, count) =>
        fn === 4 && address <= 79 && address + count > 76 ? 2 : whole(fn, address, count),
    });
    const { reader } = line.open(port, { profile: 'eastron-sdm630' });
    expect(named(await reader.further?.())).toEqual(THREE_PHASES);
    expect(await reader.read()).toMatchObject({ importWh: 1_234_560n, powerW: 1_230 });
    expect(reader.notes()).toEqual([
      'it has no reactive_import (register 76), reactive_export (register 78): the gateway reads it without',
    ]);
  });

  test('stand in no poll, and have a code and a name each', () => {
    for (const profile of loadProfiles().values()) {
      if (profile.protocol !== 'modbus') continue;
      const polled = polledRegisters(profile).map(({ key }) => key);
      const further = furtherRegisters(profile).map(({ key }) => key);
      expect(further.filter((key) => polled.includes(key) && key !== 'voltage')).toEqual([]);
    }
    expect([...VALUE_NAMES.keys()].sort((a, b) => a - b)).toEqual(Object.values(ValueCode));
    expect(Object.keys(MORE_KEYS)).toHaveLength(Object.keys(ValueCode).length - 1);
    expect(loadSunspecModels().models[103]?.points.PF).toBeDefined();
  });
});

const eleven = (timeMs: number): FurtherSample => ({
  ...{ timeMs, uncertaintyMs: 5 },
  values: Object.values(ValueCode).map((code) => ({ code, value: 10 * code })),
});

describe('a meter signs them', () => {
  test('once a minute, eight in a message, outside the chain and every root', async () => {
    const { time, meter, of, counts, end } = await setUp(rising, 1, undefined, {
      further: async (nowMs) => eleven(nowMs),
    });
    await time.advance(16 * MINUTE);
    await end();
    const signed = of(Kind.moreValues);
    const minutes = signed.map(({ timeMs }) => Math.floor((Number(timeMs) - START) / MINUTE));
    expect(new Set(minutes).size).toBeGreaterThanOrEqual(14);
    expect(signed).toHaveLength(2 * new Set(minutes).size);
    expect(signed.slice(0, 2).map(({ values }) => values.length)).toEqual([8, 3]);
    expect(counts.get('more_values')).toBe(signed.length);
    const [statement] = of(Kind.statement);
    expect(statement?.readingCount).toBe(of(Kind.reading).filter(({ seq }) => seq < (statement?.seq ?? 0n)).length);
    expect(meter.view().more_values).toMatchObject({
      voltage_l1: 1,
      current_l1: 0.04,
      power_factor: 0.1,
      temperature: 11,
    });
  });

  test('and reads on when they fail: a rest is tried at the next poll, a silence a minute later', async () => {
    const failures = [ReadFailure.timeout, ReadFailure.resting, ReadFailure.exception];
    let reads = 0;
    const { time, meter, of, end } = await setUp(rising, 1, undefined, {
      further: async (nowMs) => {
        const failure = failures[reads++];
        if (failure !== undefined) throw new ReadError(failure, 'no');
        return reads === 4 ? null : eleven(nowMs);
      },
    });
    await time.advance(10 * MINUTE);
    await end();
    expect(of(Kind.reading).length).toBeGreaterThanOrEqual(10);
    expect(reads).toBeGreaterThanOrEqual(8);
    expect(of(Kind.moreValues)).toHaveLength(2 * (reads - 4));
    expect(meter.problems()).toEqual([]);
  });

  test('and the spool command counts them by name', () => {
    const signer = ed25519Signer(new Uint8Array(32).fill(1));
    const reporter = new KeyReporter(METER_HEX, null);
    for (const seq of [1n, 2n]) {
      const payload = moreValuesPayload({ networkId: NETWORK, meterId: METER, seq }, eleven(0), [
        { code: 1, value: 2 },
      ]);
      reporter.add(signMessage(payload, signer));
    }
    expect(reporter.result().counts).toMatchObject({ moreValues: 2, others: 0, readings: 0 });
  });

  test('and never while its registers are in doubt', async () => {
    let reads = 0;
    const fallen = (nowMs: number) => ({ importWh: nowMs < START + 5 * MINUTE ? 5_000 : 0, exportWh: 0 });
    const { time, end } = await setUp(fallen, 1, undefined, {
      enrolledWh: 5_000n,
      further: async (nowMs) => {
        reads++;
        return eleven(nowMs);
      },
    });
    await time.advance(5 * MINUTE);
    const before = reads;
    await time.advance(5 * MINUTE);
    await end();
    expect(before).toBeGreaterThan(0);
    expect(reads - before).toBeLessThanOrEqual(1);
  });
});
