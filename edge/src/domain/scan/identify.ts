import { type LineCost, planReads } from '../../planner/plan.js';
import { variantsOf } from '../../planner/variants.js';
import { identityRegisters, polledRegisters } from '../../planner/wanted.js';
import { judgeProbe, probeRegisters, probeStrength } from '../../profiles/probe.js';
import type { MeterProfile, ModbusProfile, RegisterMap, SunspecProfile } from '../../profiles/profile.js';
import type { Register } from '../../profiles/register.js';
import { type Block, billingFault, decodeSample } from '../../profiles/sample.js';
import { type SunspecModels, sunspecMap } from '../../profiles/sunspec.js';
import { type SunspecDevice, SunspecError, type SunspecRead, sunspecWalk } from '../../profiles/sunspec-walk.js';
import type { Read, Reply, UnitReader } from './unit-prober.js';

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
}
type PlannedRead = Read & { readonly registers: readonly Register[] };

const MAX_LENGTHS = 6;
const ILLEGAL_FUNCTION = 1;
/** A rest that is longer than this is worth another question. */
const WORTH_MS = 500;

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
    return { profile, strength: probeStrength(profile), pending };
  });
  for (;;) {
    for (const candidate of left) splitSilent(notes, candidate, cost);
    left = left.filter((candidate) => !isGivenUp(notes, candidate));
    for (const candidate of left)
      candidate.pending = candidate.pending.filter((read) => !notes.holds(candidate.profile, read.registers));
    const strong = left.filter(({ pending, strength }) => pending.length === 0 && strength >= 2);
    if (strong.length > 0) left = left.filter((one) => strong.some((other) => looksAtTheSame(one, other)));
    const open = left.filter(({ pending }) => pending.length > 0);
    if (open.length === 0) return left;
    // A weak probe proves little; it is worth a question only when all strong ones are settled.
    const strongOpen = open.filter(({ strength }) => strength >= 2);
    const asking = strongOpen.length > 0 ? strongOpen : open;
    const reads = asking.map(({ pending }) => pending[0] as PlannedRead);
    const chosen = notes.talk.pick(reads);
    await notes.ask(reads[chosen] as PlannedRead, (asking[chosen] as Candidate).profile.id);
  }
}

/** A long read may stay without an answer where a short one does not: that says nothing against a profile yet. */
function splitSilent(notes: UnitNotes, candidate: Candidate, cost: LineCost): void {
  const { profile, pending } = candidate;
  if (!pending.some((read) => read.registers.length > 1 && notes.wasSilent(read))) return;
  candidate.pending = pending.flatMap((read) =>
    notes.wasSilent(read) ? read.registers.flatMap((register) => readsOf([register], profile, cost)) : [read],
  );
}

function isGivenUp(notes: UnitNotes, { profile, pending }: Candidate): boolean {
  if (pending.some((read) => notes.refused(read))) return true;
  const read = profile.probe.filter(({ register }) =>
    profile.registers.every((one) => one.key !== register || notes.holds(profile, [one])),
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
  for (const read of readsOf(polledRegisters(map), map, cost)) {
    if (!notes.holds(map, read.registers)) await notes.askSoon(read, profile.id);
  }
  const sample = decodeSample(map, notes.blocks);
  const isRead = sample.faults.every(({ billing, what }) => !billing || what === 'not-available');
  if (!isRead) return null;
  for (const read of readsOf(identityRegisters(map), map, cost)) {
    if (!notes.holds(map, read.registers)) await notes.askSoon(read, profile.id);
  }
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
  };
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

/** Records what one unit answered and refused, so that no question repeats. */
class UnitNotes {
  readonly talk: UnitReader;
  readonly blocks: Block[];
  readonly silent = new Set<string>();
  /** Reads that brought data, as they were asked. */
  readonly #answered: Read[] = [];
  readonly #refused = new Set<string>();
  readonly #silentReads = new Set<string>();
  readonly #refusedFunctions = new Set<number>();

  constructor(talk: UnitReader, known: readonly Block[]) {
    this.talk = talk;
    this.blocks = [...known];
  }

  holds(_map: RegisterMap, registers: readonly Register[]): boolean {
    return registers.every(({ function: code, address, length }) =>
      this.blocks.some(
        (block) =>
          block.function === code &&
          block.address <= address &&
          address + length <= block.address + block.data.length / 2,
      ),
    );
  }

  refused(read: Read): boolean {
    return this.#refusedFunctions.has(read.fn) || this.#refused.has(keyOf(read));
  }

  wasSilent(read: Read): boolean {
    return this.#silentReads.has(keyOf(read));
  }

  async ask(read: Read, profile: string): Promise<Reply> {
    if (this.refused(read)) return { what: 'silence' };
    const reply = await this.talk.read(read);
    if (reply.what === 'data') {
      this.blocks.push({ function: read.fn, address: reply.address, data: reply.data });
      this.#answered.push({ fn: read.fn, variants: [{ address: reply.address, count: reply.data.length / 2 }] });
      return reply;
    }
    this.#refused.add(keyOf(read));
    if (reply.what === 'silence') {
      this.silent.add(profile);
      this.#silentReads.add(keyOf(read));
    } else if (reply.code === ILLEGAL_FUNCTION) this.#refusedFunctions.add(read.fn);
    return reply;
  }

  /**
   * Asks for what the unit has. A length that was the last one asked rests for a whole quarantine; after another read,
   * which is known to be answered, for a time-out only.
   */
  async askSoon(read: Read, profile: string): Promise<Reply> {
    if (this.talk.restMs(read) > WORTH_MS) {
      const lengths = new Set(read.variants.map(({ count }) => `${read.fn} ${count}`));
      const other = this.#answered.find(
        ({ fn, variants: [choice] }) =>
          !lengths.has(`${fn} ${choice?.count}`) && this.talk.restMs({ fn, variants: choice ? [choice] : [] }) === 0,
      );
      if (other) await this.talk.read(other);
    }
    return this.ask(read, profile);
  }

  /**
   * Registers of a SunSpec list, also by a longer read, which does not have to wait: behind the marker stands the
   * first model's header; before any other header stands what was read already.
   */
  async header({ address, count }: SunspecRead, isMarker: boolean): Promise<Uint8Array | null> {
    const more = [0, 1, 2];
    const variants = more.map((by) => ({ address: isMarker ? address : address - by, count: count + by }));
    if (this.refused({ fn: 3, variants })) return null;
    const reply = await this.ask({ fn: 3, variants }, 'sunspec');
    if (reply.what !== 'data') return null;
    const from = 2 * (address - reply.address);
    return reply.data.subarray(from, from + 2 * count);
  }
}

function keyOf({ fn, variants: [first] }: Read): string {
  return `${fn} ${first?.address} ${first?.count}`;
}
