import { readFileSync } from 'node:fs';
import { REFERENCE_LINE } from '@gridtokenx/bench/edge/line-time';
import { describe, expect, it } from 'vitest';
import { loadProfiles } from '../../src/adapters/profiles/files.js';
import { mayRead, planReads } from '../../src/planner/plan.js';
import { variantsOf } from '../../src/planner/variants.js';
import { billingRegisters, polledRegisters } from '../../src/planner/wanted.js';
import { ProfileError, parseProfile } from '../../src/profiles/parse.js';
import type { ModbusProfile, ReadLimits } from '../../src/profiles/profile.js';
import { limitsOf, registerAt } from '../support/registers.js';

const document = readFileSync(new URL('../../../docs/meters.md', import.meta.url), 'utf8');
const profiles = [...loadProfiles().values()].filter((profile) => profile.protocol === 'modbus');

/** Returns the requests that carry energy, each with the lengths that can replace it. */
function billing(profile: ModbusProfile) {
  const energy = billingRegisters(profile);
  return planReads(polledRegisters(profile), profile.limits, REFERENCE_LINE)
    .filter((request) => request.billing)
    .map((request) => {
      const cover = energy.filter((register) => request.registers.includes(register));
      return { request, others: variantsOf(request, profile, REFERENCE_LINE, { cover }) };
    });
}

describe('a range of values of several registers', () => {
  const limits: ReadLimits = limitsOf({ readable: [{ function: 3, first: 100, last: 119, step: 4 }] });
  const energy = registerAt('import', 104, { type: 'u32' });
  const may = (address: number, count: number) => mayRead(3, address, count, limits, [energy]);

  it('is read from value to value', () => {
    expect([may(100, 20), may(104, 4), may(108, 8), may(100, 8)]).toEqual([true, true, true, true]);
    expect([may(101, 8), may(100, 9), may(102, 4), may(104, 3)]).toEqual([false, false, false, false]);
  });
  it('may be cut where the profile itself names a value, and never inside one', () => {
    expect([may(104, 2), may(106, 2), may(105, 3), may(104, 1)]).toEqual([true, true, false, false]);
  });
  it('is in the file as step', () => {
    const good = readFileSync(new URL('../../profiles/abb-b2x.yaml', import.meta.url), 'utf8');
    expect(parseProfile(good, 'a.yaml')).toMatchObject({
      limits: { readable: [{ first: 20_480, step: 4 }, { step: 1 }] },
    });
    const line = good.split('\n').findIndex((text) => text.includes('step: 4')) + 1;
    expect(() => parseProfile(good.replace('step: 4', 'step: 0'), 'a.yaml')).toThrow(ProfileError);
    expect(() => parseProfile(good.replace('step: 4', 'step: 0'), 'a.yaml')).toThrow(
      `a.yaml:${line}: limits.readable.0.step: `,
    );
  });
});

describe('lengths of the shipped profiles', () => {
  it('never end inside a value: the ABB counts in fours', () => {
    const abb = profiles.find(({ id }) => id === 'abb-b2x');
    if (!abb) throw new Error('no ABB');
    expect(billing(abb)[0]?.others.map(({ count }) => count)).toEqual([12, 16, 20, 24, 28, 32, 36]);
  });

  const list = (ids: readonly string[]) => ids.map((id) => `\`${id}\``).join(', ');
  it('the document names the meters whose two registers are not of one instant', () => {
    const two = profiles.filter((profile) => billing(profile).length > 1).map(({ id }) => id);
    expect(two.length).toBeGreaterThan(0);
    expect(document.replaceAll('\n', ' ')).toContain(`Two requests: ${list(two)}.`);
  });
  it('the document names the meters that have no other length for their energy', () => {
    const none = profiles
      .filter((profile) => billing(profile).some(({ others }) => others.length === 0))
      .map(({ id }) => id);
    expect(none.length).toBeGreaterThan(0);
    expect(document.replaceAll('\n', ' ')).toContain(`One length only: ${list(none)}.`);
  });
});
