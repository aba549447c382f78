import { loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { sunspecWalk } from '../../src/profiles/sunspec-walk.js';

const known = loadSunspecModels();
/** Words by their offset from the model's ID. */
export type ModelValues = Readonly<Record<number, readonly number[]>>;

/** Registers of a device: the marker, its models in a row, the end. Values by model and offset from its ID. */
export class ListedDevice {
  readonly words = new Map<number, number>();
  readonly reads: string[] = [];
  readonly starts: number[] = [];
  constructor(base: number, models: readonly (readonly [id: number, length: number, values?: ModelValues])[]) {
    this.put(base, [0x5375, 0x6e53]);
    let address = base + 2;
    for (const [id, length, values = {}] of models) {
      this.starts.push(address);
      this.put(address, [id, length, ...Array<number>(length).fill(0)]);
      for (const [offset, words] of Object.entries(values)) this.put(address + Number(offset), words);
      address += 2 + length;
    }
    this.put(address, [0xffff, 0]);
  }
  put(address: number, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.words.set(address + i, word);
  }
  /** Returns null where the meter would answer with an exception. */
  read(address: number, count: number): Uint8Array | null {
    this.reads.push(`${address}+${count}`);
    const words = Array.from({ length: count }, (_, i) => this.words.get(address + i));
    if (words.some((word) => word === undefined)) return null;
    return Uint8Array.from(words.flatMap((word = 0) => [(word >> 8) & 0xff, word & 0xff]));
  }
}

/** Walks the list of a device. */
export function discover(device: ListedDevice, bases: readonly number[] = [40_000, 50_000, 0]) {
  const walk = sunspecWalk(bases, known);
  let step = walk.next();
  while (!step.done) step = walk.next(device.read(step.value.address, step.value.count));
  return step.value;
}
