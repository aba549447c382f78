import { loadSunspecModels } from '../../src/adapters/profiles/files.js';

const known = loadSunspecModels();

/** Readings of the device, in the points' own units. */
export const SUNSPEC_VALUES: Readonly<Record<string, number>> = {
  TotWhImp: 700_000,
  TotWhExp: 123_450,
  TotWhAbs: 700_000,
  TotWhInj: 123_450,
  WH: 123_450,
  W: -1_500,
  PhVphA: 230.1,
  VL1: 230.1,
  Hz: 50,
  PhVphB: 229.7,
  VL2: 229.7,
  PhVphC: 230.4,
  VL3: 230.4,
  AphA: 6.5,
  AL1: 6.5,
  AphB: 0.2,
  AL2: 0.2,
  AphC: 12.3,
  AL3: 12.3,
  VAr: -420,
  VAR: -420,
  Var: -420,
  PF: 0.98,
  TmpCab: 41.5,
  TotVarhAbs: 5_000,
  TotVarhInj: 70,
};
const EXPONENTS: Readonly<Record<string, number>> = {
  ...{ PhVphB: -1, PhVphC: -1, VL2: -1, VL3: -1, AphA: -1, AphB: -1, AphC: -1, AL1: -1, AL2: -1, AL3: -1 },
  ...{ VAr: 0, VAR: 0, Var: 0, PF: -2, TmpCab: -1 },
  PhVphA: -1,
  VL1: -1,
  Hz: -2,
  W: 0,
};
const ENERGY_EXPONENT = 1;

/** A device with these models behind the common one, generated from the models' own points. */
export class SunspecDevice {
  readonly words = new Map<number, number>();
  /** Address of each model. */
  readonly at = new Map<number, number>();
  readonly base: number;
  requests = 0;
  constructor(models: readonly number[], base = 40_000) {
    this.base = base;
    this.put(base, [0x5375, 0x6e53]);
    let address = base + 2;
    for (const id of [1, ...models]) {
      const size = (known.models[id]?.size ?? 0) + (known.models[id]?.repeating?.size ?? 0);
      this.at.set(id, address);
      this.put(address, [id, size - 2, ...Array<number>(size - 2).fill(0)]);
      for (const name of Object.keys(known.models[id]?.points ?? {})) this.set(id, name, SUNSPEC_VALUES[name]);
      address += size;
    }
    this.put(address, [0xffff, 0]);
    this.text(1, 'Mn', 'Maker');
    this.text(1, 'SN', 'SN-0042');
  }
  put(address: number, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.words.set(address + i, word & 0xffff);
  }
  point(id: number, name: string) {
    const found = known.models[id]?.points[name];
    if (!found) throw new Error(`model ${id} has no ${name}`);
    return { at: (this.at.get(id) ?? 0) + found[0], type: found[1], factor: found[2], size: found[4] };
  }
  text(id: number, name: string, value: string): void {
    const { at, size } = this.point(id, name);
    const bytes = Buffer.alloc(2 * size);
    bytes.write(value);
    this.put(
      at,
      Array.from({ length: size }, (_, i) => bytes.readUInt16BE(2 * i)),
    );
  }
  /** Sets a point, and the scale factor that it names. */
  set(id: number, name: string, value: number | undefined, exponent = EXPONENTS[name] ?? ENERGY_EXPONENT): void {
    if (value === undefined) return;
    const { at, type, factor, size } = this.point(id, name);
    const float = new DataView(new ArrayBuffer(4));
    float.setFloat32(0, value);
    const raw = type === 'float32' ? BigInt(float.getUint32(0)) : BigInt(Math.round(value / 10 ** exponent));
    this.put(
      at,
      Array.from({ length: size }, (_, i) => Number((raw >> BigInt(16 * (size - 1 - i))) & 0xffffn)),
    );
    if (factor !== null && type !== 'float32') this.put(this.point(id, factor).at, [exponent]);
  }
  /** Returns the words; throws exception 2 for a register that the device lacks. */
  read(address: number, count: number): number[] {
    this.requests++;
    return Array.from({ length: count }, (_, i) => {
      const word = this.words.get(address + i);
      if (word === undefined) throw Object.assign(new Error('no such register'), { modbusErrorCode: 2 });
      return word;
    });
  }
}
