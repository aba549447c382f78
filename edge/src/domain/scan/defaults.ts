import type { MeterProfile } from '../../profiles/profile.js';
import { type Default, INPUT } from './plan.js';

/** Where new meters of these profiles are to be found, and by which register of their own. */
export function defaultsOf(profiles: readonly MeterProfile[]): Default[] {
  return profiles.map((profile) => {
    const { baud, parity, stopBits, unit, assumed } = profile.serial;
    const setting = { transport: 'serial', baud, parity, stopBits } as const;
    if (profile.protocol === 'sunspec') {
      const [base = 0] = profile.bases;
      return { setting, unit, assumed, question: { fn: 3, address: base, counts: [2] } };
    }
    const [first] = profile.probe;
    const register = profile.registers.find(({ key }) => key === first?.register);
    const question = register ? { fn: register.function, address: register.address, counts: [register.length] } : INPUT;
    return { setting, unit, assumed, question };
  });
}
