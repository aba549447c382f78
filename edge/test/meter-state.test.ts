import { asWindow } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { DiscontinuityReason } from '../src/domain/signing/discontinuity.js';
import { decodeState, encodeState, FRESH_STATE } from '../src/domain/signing/meter-state.js';

describe('the state file', () => {
  test('comes back as it was written, and damage is refused', () => {
    const state = {
      reservedThrough: (1n << 63n) + 5n,
      boots: 3,
      closedThrough: asWindow(1_900_000),
      statement: new Uint8Array(96).fill(7),
      discontinuity: { importWh: 1n, exportWh: 2n },
      discontinuityReason: DiscontinuityReason.anotherMeter,
      doubt: DiscontinuityReason.doubtRose,
      offsets: { importWh: -5n, exportWh: 1n << 60n },
      accepted: [
        {
          timeMs: 5,
          reason: 'the display was read',
          raw: { importWh: 1n, exportWh: 0n },
          signed: { importWh: 9n, exportWh: 2n },
        },
      ],
      discarded: [{ first: 1n, last: 9n }],
      configHash: 'ab'.repeat(16),
      serial: 'X-17',
      point: {
        window: asWindow(1_900_000),
        importWh: 3n,
        exportWh: (1n << 63n) + 1n,
        production: { importWh: 4n, exportWh: 5n },
        consumption: { importWh: 6n, exportWh: 7n },
      },
    };
    const older = encodeState(FRESH_STATE).replace(/,"config_hash":null,"serial":null,"point":null/, '');
    const oldest = older.replace(/"discontinuity_reason.*"accepted":\[\],/, '');
    expect(older).not.toContain('config_hash');
    expect(oldest).not.toContain('offsets');
    expect(decodeState(oldest)).toEqual(FRESH_STATE);
    for (const bad of [
      '"x"',
      '{}',
      '{"window":-1}',
      '{"window":4294967296}',
      '{"window":1,"registers":["1","2"],"production":["1"]}',
    ]) {
      const broken = encodeState(state).replace(/"point":.*\}\}\n$/, `"point":${bad}}`);
      expect(() => decodeState(broken), bad).toThrow('point');
    }
    expect(decodeState(older)).toEqual(FRESH_STATE);
    expect(() => decodeState(encodeState({ ...state, configHash: 'xyz' }))).toThrow('config_hash');
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(decodeState(encodeState(FRESH_STATE))).toEqual(FRESH_STATE);
    const text = encodeState(state);
    for (const damaged of [
      '',
      '{',
      '{}',
      'null',
      text.replace(/"statement":".."?/, '"statement":"zz'),
      text.replace('"version":1', '"version":2'),
      text.replace('"discontinuity_reason":2', '"discontinuity_reason":99'),
      text.replace('"doubt":4', '"doubt":"4"'),
      text.replace('["-5"', '["-"'),
      text.replace(/"accepted":\[\{/, '"accepted":[null,{'),
      text.replace('"time_ms":5', '"time_ms":"5"'),
      text.replace('"reason":"', '"raison":"'),
      text.replace(/"boots":3/, '"boots":-3'),
      text.replace(/"closed_through":\d+/, '"closed_through":4294967296'),
    ]) {
      expect(() => decodeState(damaged), damaged).toThrow(
        /^the meter's state file is damaged \(.*\): restore it from a backup/,
      );
    }
    expect(() => decodeState(text.replace(/"reserved_through":"\d+"/, '"reserved_through":12'))).toThrow(
      'reserved_through',
    );
  });
});
