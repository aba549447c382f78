import type { SunspecModels } from './sunspec.js';
import { COMMON, givesEnergy, MPPT } from './sunspec-meanings.js';

/** One model in the list of a device. */
export interface SunspecModel {
  readonly id: number;
  /** Address of its ID register, from which its points' offsets count. */
  readonly address: number;
  /** Registers after ID and length. */
  readonly length: number;
}

export interface SunspecDevice {
  /** Address of the marker. */
  readonly base: number;
  readonly models: readonly SunspecModel[];
  /** Deviations of the list from the SunSpec rules, in words; empty for a proper list. */
  readonly oddities: readonly string[];
}

/** Reports a device that shows the marker, and then a list without a model that gives energy. */
export class SunspecError extends Error {
  override readonly name = 'SunspecError';
}

/** A read of holding registers (function 3) that `sunspecWalk` requests: 1 or 2 registers. */
export interface SunspecRead {
  readonly address: number;
  readonly count: number;
}

/** Says what is odd about a device's list, for people. */
export function oddListText(oddities: readonly string[]): string {
  return `its SunSpec list is odd: ${oddities.join('; ')}`;
}

type Walk<T> = Generator<SunspecRead, T, Uint8Array | null>;

interface Header {
  readonly id: number;
  readonly length: number;
}

const MARKER = [0x53, 0x75, 0x6e, 0x53];
const END_ID = 0xffff;
const MAX_MODELS = 100;
/** Lengths that one walk tries beside the stated ones: it bounds the reads of a hostile list. */
const MAX_TRIES = 16;
const LAST_HEADER = 65_534;
/** Registers of ID and length, and of the marker: some devices count them. */
const HEADER = 2;

/**
 * Finds the list of models. Yields reads and receives their data (null: an exception or no answer). Returns the device,
 * or null when no base shows the marker. A list that ends improperly is kept once a model gives energy: `oddities` says
 * how it ends. The caller owns the bus. Throws `SunspecError`.
 */
export function* sunspecWalk(bases: readonly number[], known: SunspecModels): Walk<SunspecDevice | null> {
  for (const base of bases) {
    const marker = yield { address: base, count: 2 };
    if (marker?.length !== 4 || !MARKER.every((byte, i) => marker[i] === byte)) continue;
    return yield* new ModelList(base, known).walk();
  }
  return null;
}

class ModelList {
  readonly #base: number;
  readonly #known: SunspecModels;
  readonly #models: SunspecModel[] = [];
  readonly #oddities: string[] = [];
  #tries = 0;

  constructor(base: number, known: SunspecModels) {
    this.#base = base;
    this.#known = known;
  }

  *walk(): Walk<SunspecDevice> {
    let address = this.#base + HEADER;
    let header = yield* headerAt(address);
    for (;;) {
      if (header?.id === END_ID) break;
      if (this.#models.length === MAX_MODELS) {
        this.#oddities.push(`it has more than ${MAX_MODELS} models`);
        break;
      }
      if (!header || this.#isNowhere(header)) {
        this.#oddities.push(yield* endText(address, header));
        break;
      }
      const next = yield* this.#next(address, header);
      if (!next) break;
      ({ address, header } = next);
    }
    const { id, address: at } = this.#models.at(-1) ?? {};
    if (this.#oddities.length > 0 && !this.#models.some((model) => givesEnergy(model.id)))
      throw new SunspecError(
        `${this.#oddities.join('; ')}${id === undefined ? '' : ` (its last model is ${id} at ${at})`}, and no model before that gives energy`,
      );
    return { base: this.#base, models: this.#models, oddities: this.#oddities };
  }

  #isKnown(id: number): boolean {
    return this.#known.models[id] !== undefined;
  }

  /** Returns true for what is no model, and not the list's end. A known model may state a length of 0 by mistake. */
  #isNowhere(header: Header | null): boolean {
    if (header === null || header.id === 0) return true;
    return header.length === 0 && header.id !== END_ID && !this.#isKnown(header.id);
  }

  /** Returns true when `length` is a length of this model by the SunSpec models. */
  #isUsual(id: number, length: number): boolean {
    const { size = 0, repeating } = this.#known.models[id] ?? {};
    if (id === MPPT && repeating) return length >= size - HEADER && (length - size + HEADER) % repeating.size === 0;
    return this.#usual(id).includes(length);
  }

  #usual(id: number): number[] {
    const { size } = this.#known.models[id] ?? {};
    if (size === undefined || id === MPPT) return [];
    // Model 1 has a pad register that its length may omit.
    return id === COMMON ? [size - HEADER, size - HEADER - 1] : [size - HEADER];
  }

  /** Adds a model, and returns the place of the next one with its header; null at the list's end. */
  *#next(address: number, { id, length }: Header): Walk<{ address: number; header: Header | null } | null> {
    const stated = address + HEADER + length;
    const header = length > 0 && stated <= LAST_HEADER ? yield* headerAt(stated) : null;
    if (this.#leadsOn(id, length, header)) {
      this.#models.push({ id, address, length });
      return { address: stated, header };
    }
    const other = yield* this.#otherLength(address, id, length);
    if (other) {
      this.#oddities.push(
        `model ${id} at ${address} states length ${length}, which leads to no model: its length is ${other.length}`,
      );
      this.#models.push({ id, address, length: other.length });
      return { address: address + HEADER + other.length, header: other.header };
    }
    const [most = length] = this.#usual(id);
    if (length > 0)
      this.#models.push({ id, address, length: this.#isNowhere(header) ? Math.min(length, most) : length });
    if (!this.#isNowhere(header)) return { address: stated, header };
    const why = yield* this.#whyNowhere(stated, length, header);
    this.#oddities.push(`model ${id} at ${address} states length ${length}, ${why}`);
    return null;
  }

  *#whyNowhere(stated: number, length: number, header: Header | null): Walk<string> {
    if (length === 0) return 'which is none';
    if (stated > LAST_HEADER) return `which leads beyond the last register (${stated})`;
    return `after which ${yield* endText(stated, header)}`;
  }

  /** Returns true when the stated length needs no other explanation. */
  #leadsOn(id: number, length: number, header: Header | null): boolean {
    if (!header || this.#isNowhere(header)) return false;
    if (this.#isKnown(header.id) || (header.id === END_ID && header.length === 0)) return true;
    // Makers have models of their own, and SunSpec has more models than the gateway reads.
    return !this.#isKnown(id) || this.#isUsual(id, length);
  }

  /** Finds a length after which a known model or the end follows; null where none is found within the tries. */
  *#otherLength(address: number, id: number, length: number): Walk<{ length: number; header: Header } | null> {
    const counted = this.#models.length === 0 ? [length - HEADER, length - 2 * HEADER] : [length - HEADER];
    for (const other of [...this.#usual(id), ...counted]) {
      const place = address + HEADER + other;
      if (other <= 0 || other === length || place > LAST_HEADER || this.#tries >= MAX_TRIES) continue;
      this.#tries++;
      const header = yield* headerAt(place);
      // The common model is a list's first one: behind another model, 1 is a value.
      const isModel = header !== null && header.id !== COMMON && this.#isKnown(header.id) && header.length > 0;
      if (header && (isModel || (header.id === END_ID && header.length === 0))) return { length: other, header };
    }
    return null;
  }
}

function* headerAt(address: number): Walk<Header | null> {
  const data = yield { address, count: HEADER };
  if (data?.length !== 2 * HEADER) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return { id: view.getUint16(0), length: view.getUint16(2) };
}

/** Says how a list ends that does not end with model 65535. Reads one register where two cannot be read. */
function* endText(address: number, header: Header | null): Walk<string> {
  if (header) return header.id === 0 ? `register ${address} is 0` : `model ${header.id} at ${address} states no length`;
  const one = yield { address, count: 1 };
  if (one?.length !== 2) return `the device has no register ${address}`;
  const id = new DataView(one.buffer, one.byteOffset, 2).getUint16(0);
  return `only register ${address} follows, which is ${id}`;
}
