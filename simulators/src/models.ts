import { ModbusException, type ModbusUnit } from './modbus-frames.js';

/** Values of a meter at one instant. */
export interface MeterValues {
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts, import positive. */
  readonly powerW: number;
  readonly voltageV: number;
  readonly frequencyHz: number;
}

export const MODELS = ['eastron-sdm630', 'eastron-sdm120'] as const;
export type MeterModel = (typeof MODELS)[number];

/** Returns true for a model whose register map is in this file; other maps are built from their profiles. */
export const isBuiltIn = (model: string): model is MeterModel => (MODELS as readonly string[]).includes(model);

/** Float32 input registers (two words, high word first) of each model: address -> value. */
type Layout = ReadonlyMap<number, (values: MeterValues) => number>;

const current = (v: MeterValues) => Math.abs(v.powerW) / v.voltageV;
const importKwh = (v: MeterValues) => Number(v.importWh) / 1000;
const exportKwh = (v: MeterValues) => Number(v.exportWh) / 1000;
const frequency = (v: MeterValues) => v.frequencyHz;

/**
 * Addresses from the registers' public sources (shared data: register-facts). An unlisted address inside `words` reads
 * 0, as on the real meters; an address beyond is illegal.
 */
const LAYOUTS: Record<MeterModel, { layout: Layout; words: number; mostPerRead: number }> = {
  'eastron-sdm630': {
    words: 382,
    mostPerRead: 80,
    layout: new Map<number, (values: MeterValues) => number>([
      [0, (v) => v.voltageV],
      [2, (v) => v.voltageV],
      [4, (v) => v.voltageV],
      [6, (v) => current(v) / 3],
      [8, (v) => current(v) / 3],
      [10, (v) => current(v) / 3],
      [12, (v) => v.powerW / 3],
      [14, (v) => v.powerW / 3],
      [16, (v) => v.powerW / 3],
      [52, (v) => v.powerW],
      [70, frequency],
      [72, importKwh],
      [74, exportKwh],
    ]),
  },
  'eastron-sdm120': {
    words: 346,
    mostPerRead: 80,
    layout: new Map<number, (values: MeterValues) => number>([
      [0, (v) => v.voltageV],
      [6, current],
      [12, (v) => v.powerW],
      [70, frequency],
      [72, importKwh],
      [74, exportKwh],
    ]),
  },
};

/** Holding registers with the serial number (u32, high word first). */
const SERIAL_ADDRESS = 64_512;

/** Builds the register map of a model over live values, as a Modbus master reads it. */
export function meterUnit(model: MeterModel, serial: number, values: () => MeterValues): ModbusUnit {
  const { layout, words, mostPerRead } = LAYOUTS[model];
  return {
    read(functionCode, address, count) {
      if (functionCode === 3) return readSerial(serial, address, count);
      if (count > mostPerRead || address + count > words) return ModbusException.illegalAddress;
      // Latched once per request: all registers of a reply belong to one instant.
      const now = values();
      const block = new DataView(new ArrayBuffer(2 * words));
      for (const [at, value] of layout) block.setFloat32(2 * at, value(now));
      return Uint16Array.from({ length: count }, (_, i) => block.getUint16(2 * (address + i)));
    },
  };
}

function readSerial(serial: number, address: number, count: number): Uint16Array | ModbusException {
  if (address < SERIAL_ADDRESS || address + count > SERIAL_ADDRESS + 2) return ModbusException.illegalAddress;
  const words = [serial >>> 16, serial & 0xffff];
  return Uint16Array.from({ length: count }, (_, i) => words[address - SERIAL_ADDRESS + i] ?? 0);
}
