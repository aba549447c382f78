import type { ModbusProfile, ProbeCheck } from './profile.js';
import type { Register, RegisterKey } from './register.js';
import { type Block, type DecodedSample, decodeSample } from './sample.js';

export interface ProbeResult {
  /** True when every check was read and holds. */
  readonly fits: boolean;
  /** States each check that does not hold, in words. */
  readonly against: readonly string[];
}

/** Returns the registers that a probe reads, for `planReads`. */
export function probeRegisters(profile: ModbusProfile): Register[] {
  const keys = new Set<RegisterKey>(profile.probe.map((check) => check.register));
  return profile.registers.filter((register) => keys.has(register.key));
}

/**
 * Returns the strength of a fitting probe. 3 = the meter names its model; 2 = voltage and frequency are those of mains;
 * 1 = one of them; 0 = other numbers only. `scan` tries the strong probes first, and asks the person where only a weak
 * one fits.
 */
export function probeStrength(profile: ModbusProfile): 0 | 1 | 2 | 3 {
  if (profile.probe.some((check) => 'values' in check)) return 3;
  const mains = new Set(profile.probe.map((check) => check.register));
  return (Number(mains.has('voltage')) + Number(mains.has('frequency'))) as 0 | 1 | 2;
}

/** Judges by the probe's checks whether the blocks come from a meter of this profile. */
export function judgeProbe(profile: ModbusProfile, blocks: readonly Block[]): ProbeResult {
  const sample = decodeSample(profile, blocks);
  const against = profile.probe.flatMap((check) => {
    const text = judge(check, sample);
    return text === null ? [] : [text];
  });
  return { fits: against.length === 0, against };
}

/** Checks of a meter that states its own registers: mains where it shows them; 0 shows none. */
export const MAINS_CHECKS: readonly ProbeCheck[] = [
  { register: 'voltage', min: 80, max: 420 },
  { register: 'frequency', min: 45, max: 65 },
];

/** Returns the checks that a sample's values fail, in words. A value that is absent, or a mains value of 0, fails none. */
export function failedChecks(checks: readonly ProbeCheck[], sample: DecodedSample): string[] {
  return checks.flatMap((check) => {
    const value = measured(check.register, sample);
    const isMissing = value === null || (checks === MAINS_CHECKS && value === 0);
    const text = isMissing ? null : judge(check, sample);
    return text === null ? [] : [text];
  });
}

function judge(check: ProbeCheck, sample: DecodedSample): string | null {
  const value = measured(check.register, sample);
  if (value === null) {
    return sample.faults.find((fault) => fault.key === check.register)?.text ?? `${check.register} gives no value`;
  }
  if ('values' in check) {
    return check.values.includes(String(value))
      ? null
      : `${check.register} is "${value}", not ${check.values.join(', ')}`;
  }
  const number = Number(value);
  const fits = number >= check.min && number <= check.max;
  return fits ? null : `${check.register} is ${value}, not ${check.min} to ${check.max}`;
}

/** Returns a value in the unit that profiles state: V, Hz, W, kWh, or as text. */
function measured(key: RegisterKey, sample: DecodedSample): number | string | null {
  const part = (value: number | bigint | null, by: number) => (value === null ? null : Number(value) / by);
  switch (key) {
    case 'voltage':
      return part(sample.voltageDv, 10);
    case 'frequency':
      return part(sample.frequencyChz, 100);
    case 'power':
      return sample.powerW;
    case 'import':
      return part(sample.importWh, 1_000);
    case 'export':
      return part(sample.exportWh, 1_000);
    case 'total':
      return part(sample.totalWh, 1_000);
    case 'serial':
    case 'firmware':
    case 'model':
    case 'manufacturer':
      return sample[key];
    default:
      return null;
  }
}
