import { middleLength, withFactor } from '../../planner/lengths.js';
import { type LineCost, planReads } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { identityRegisters, polledRegisters } from '../../planner/wanted.js';
import { judgeProbe, probeRegisters, probeStrength } from '../../profiles/probe.js';
import type { MeterProfile, ModbusProfile, RegisterMap, SunspecProfile } from '../../profiles/profile.js';
import type { Register } from '../../profiles/register.js';
import { type Block, billingFault, decodeSample } from '../../profiles/sample.js';
import { type SunspecModels, sunspecMap } from '../../profiles/sunspec.js';
import { type SunspecDevice, SunspecError, sunspecWalk } from '../../profiles/sunspec-walk.js';
import { UnitNotes } from './unit-notes.js';
import type { Read, UnitReader } from './unit-prober.js';

/** A profile that a meter fits, with what was read by it. */
export interface Fit {
  readonly profile: string;
  readonly manufacturer: string;
  readonly model: string;
  /**
   * Strength of its probe: 3 = the meter names its model, 2 = mains voltage and frequency, 1 = one of them, 0 = a
   * number.
   */
  readonly strength: 0 | 1 | 2 | 3;
  /** As the meter says it; null where none is readable. */
  readonly serial: string | null;
  readonly importWh: string | null;
  readonly exportWh: string | null;
  /** It counts what it feeds and not what it draws: a production meter. */
  readonly exportOnly: boolean;
  /** Why it cannot be billed; null when it can. */
  readonly unfit: string | null;
  /** The longest read that it answers, in registers, where it refused a longer one. */
  readonly maxRegisters?: number;
  /** Deviations of its SunSpec list, in words; absent for a proper list. */
  readonly oddities?: readonly string[];
}

export interface Identity {
  /** All profiles that fit equally well; empty: none does. */
  readonly fits: readonly Fit[];
  /** Profiles that could not be judged, since the meter gave no answer to their registers. */
  readonly silent: readonly string[];
}

interface Candidate {
  readonly profile: ModbusProfile;
  readonly strength: 0 | 1 | 2 | 3;
  /** Reads that are still to be asked. */
  pending: PlannedRead[];
  /** The unit refused a long read, so this profile's values are asked one by one, after other profiles. */
  isShortened: boolean;
}
type PlannedRead = Read & { readonly registers: readonly Register[] };

const MAX_LENGTHS = 6;
/** Reads that find the longest read which a unit answers: halving 125 lengths takes 7. */
const MAX_LENGTH_READS = 7;

/**
 * Finds the profiles that a unit fits: by its probe first, then by its energy registers. Drops a profile at its first
 * register that the unit refuses or whose value is impossible. Once voltage and frequency, or the model's own name,
 * fit, only profiles with the same probe registers remain: others would have to fit by chance. `known`: blocks that
 * were read already.
 */
export async function identify(
  talk: UnitReader,
  profiles: readonly MeterProfile[],
  models: SunspecModels,
  cost: LineCost,
  known: readonly Block[] = [],
): Promise<Identity> {
  const notes = new UnitNotes(talk, known);
  const modbus = profiles.filter((profile) => profile.protocol === 'modbus');
  const sunspec = profiles.filter((profile) => profile.protocol === 'sunspec');
  const fitting = await narrow(notes, modbus, cost);
  const best = Math.max(-1, ...fitting.map(({ strength }) => strength));
  if (best < 2) {
    const device = await findSunspec(notes, sunspec, models, cost);
    if (device.length > 0) return { fits: device, silent: [] };
  }
  const fits: Fit[] = [];
  for (const { profile, strength } of fitting) {
    if (strength < best) continue;
    const fit = await weigh(notes, profile, profile, strength, cost);
    if (fit) fits.push(fit);
  }
  return { fits, silent: fits.length > 0 ? [] : [...notes.silent] };
}

/** Reads from the unit what the candidates need next, until each candidate fits or is dropped. */
async function narrow(notes: UnitNotes, profiles: readonly ModbusProfile[], cost: LineCost): Promise<Candidate[]> {
  let left = profiles.map((profile): Candidate => {
    const pending = readsOf(probeRegisters(profile), profile, cost);
    return { profile, strength: probeStrength(profile), pending, isShortened: false };
  });
  for (;;) {
    for (const candidate of left) splitLong(notes, candidate, cost);
    left = left.filter((candidate) => !isGivenUp(notes, candidate));
    for (const candidate of left) candidate.pending = candidate.pending.filter((read) => !notes.holds(read.registers));
    const strong = left.filter(({ pending, strength }) => pending.length === 0 && strength >= 2);
    if (strong.length > 0) left = left.filter((one) => strong.some((other) => looksAtTheSame(one, other)));
    const open = left.filter(({ pending }) => pending.length > 0);
    if (open.length === 0) return left;
    // A weak probe proves little; it is worth a question only when all strong ones are settled.
    const strongOpen = open.filter(({ strength }) => strength >= 2);
    const likely = strongOpen.length > 0 ? strongOpen : open;
    const whole = likely.filter(({ isShortened }) => !isShortened);
    const asking = whole.length > 0 ? whole : likely;
    const reads = asking.map(({ pending }) => pending[0] as PlannedRead);
    const chosen = notes.talk.pick(reads);
    await notes.ask(reads[chosen] as PlannedRead, (asking[chosen] as Candidate).profile.id);
  }
}

/** A long read may stay without an answer, or be refused, where a short one is not: that says nothing yet. */
function splitLong(notes: UnitNotes, candidate: Candidate, cost: LineCost): void {
  const { profile, pending } = candidate;
  const isLong = (read: PlannedRead) => read.registers.length > 1 && (notes.wasSilent(read) || notes.wasTooLong(read));
  if (!pending.some(isLong)) return;
  candidate.isShortened ||= pending.some((read) => isLong(read) && notes.wasTooLong(read));
  candidate.pending = pending.flatMap((read) =>
    isLong(read) ? read.registers.flatMap((register) => readsOf([register], profile, cost)) : [read],
  );
}

function isGivenUp(notes: UnitNotes, { profile, pending }: Candidate): boolean {
  if (pending.some((read) => notes.refused(read))) return true;
  const read = profile.probe.filter(({ register }) =>
    profile.registers.every((one) => one.key !== register || notes.holds([one])),
  );
  return read.length > 0 && !judgeProbe({ ...profile, probe: read }, notes.blocks).fits;
}

function looksAtTheSame(a: Candidate, b: Candidate): boolean {
  if (a === b) return true;
  const others = probeRegisters(b.profile);
  return probeRegisters(a.profile).some((one) => others.some((other) => overlap(one, other)));
}

const overlap = (a: Register, b: Register) =>
  a.function === b.function && a.address < b.address + b.length && b.address < a.address + a.length;

/** Reads energy and identity; null when its energy is no meter's. */
async function weigh(
  notes: UnitNotes,
  profile: MeterProfile,
  map: RegisterMap & { readonly bills: { readonly import: boolean; readonly export: boolean } },
  strength: 0 | 1 | 2 | 3,
  cost: LineCost,
): Promise<Fit | null> {
  await readAll(notes, polledRegisters(map), map, cost, profile.id);
  const sample = decodeSample(map, notes.blocks);
  const isRead = sample.faults.every(({ billing, what }) => !billing || what === 'not-available');
  if (!isRead) return null;
  await readAll(notes, identityRegisters(map), map, cost, profile.id);
  const maxRegisters = await longestRead(notes, map, cost, profile.id);
  const { serial, model, manufacturer, importWh, exportWh } = decodeSample(map, notes.blocks);
  const named = profile.models.find((name) => name === model);
  return {
    profile: profile.id,
    manufacturer: manufacturer ?? profile.manufacturer,
    model: profile.protocol === 'sunspec' ? (model ?? profile.id) : (named ?? profile.models.join(', ')),
    strength,
    // An empty register is no number.
    serial: serial === null || /^0*$/.test(serial) ? null : serial,
    importWh: importWh?.toString() ?? null,
    exportWh: exportWh?.toString() ?? null,
    exportOnly: map.bills.export && !map.bills.import,
    unfit: unfitness(map.bills, billingFault(sample)),
    ...(maxRegisters === null ? {} : { maxRegisters }),
  };
}

/** Reads registers; where the unit refuses several at once, value by value. */
async function readAll(
  notes: UnitNotes,
  registers: readonly Register[],
  map: RegisterMap,
  cost: LineCost,
  profile: string,
): Promise<void> {
  const ask = async (read: PlannedRead) => {
    if (!notes.holds(read.registers)) await notes.askSoon(read, profile);
  };
  for (const read of readsOf(registers, map, cost)) {
    await ask(read);
    if (read.registers.length === 1 || !notes.wasTooLong(read)) continue;
    for (const register of read.registers.filter(({ type }) => type !== 'sunssf'))
      for (const part of readsOf(withFactor(register, registers), map, cost)) await ask(part);
  }
}

/** Returns the longest read that the unit answers, where it refused a longer one; null where it refused none. */
async function longestRead(
  notes: UnitNotes,
  map: RegisterMap,
  cost: LineCost,
  profile: string,
): Promise<number | null> {
  const lengths = notes.lengths();
  for (let reads = 0; reads < MAX_LENGTH_READS; reads++) {
    const next = lengths.open && middleLength(map, lengths.open, cost);
    if (!next) break;
    const { what } = await notes.askSoon({ fn: next.fn, variants: [next] }, profile);
    if (what === 'data') lengths.answered(next.count);
    else lengths.refused(next.count);
  }
  return lengths.learnt;
}

function unfitness(bills: { readonly import: boolean; readonly export: boolean }, fault: string | null): string | null {
  if (!bills.import && !bills.export) return 'it counts only the sum of both directions';
  if (!bills.export) return 'no register for export is known';
  return fault;
}

/** A SunSpec device names itself: marker, list of models, common model. */
async function findSunspec(
  notes: UnitNotes,
  profiles: readonly SunspecProfile[],
  models: SunspecModels,
  cost: LineCost,
): Promise<Fit[]> {
  const bases = [...new Set(profiles.flatMap((profile) => profile.bases))];
  let device: SunspecDevice | null = null;
  try {
    const walk = sunspecWalk(bases, models);
    let step = walk.next();
    while (!step.done) step = walk.next(await notes.header(step.value, bases.includes(step.value.address)));
    device = step.value;
  } catch (error) {
    if (!(error instanceof SunspecError)) throw error;
  }
  if (!device) return [];
  for (const profile of profiles) {
    const map = sunspecMap(profile, device, models);
    const fit = map && (await weigh(notes, profile, map, 3, cost));
    if (fit) return [device.oddities.length > 0 ? { ...fit, oddities: device.oddities } : fit];
  }
  return [];
}

function readsOf(registers: readonly Register[], map: RegisterMap, cost: LineCost): PlannedRead[] {
  return planReads(registers, map.limits, cost).map((request) => {
    const others = variantsOf(request, map, cost, { most: MAX_LENGTHS });
    const variants = [request, ...others].map(({ address, count }) => ({ address, count }));
    const held = request.registers.filter((register) => registers.includes(register));
    return { fn: request.function, variants, registers: held };
  });
}
