import type { FunctionCode, Register, RegisterKey } from './register.js';

/** A profile that went through `parseProfile`. */
declare const parsed: unique symbol;

/** How sure a profile is, and against what it was tried. */
export interface Confidence {
  /** `hardware`: read from a real meter; `simulator`: from a simulated one; `documents`: from documents only. */
  readonly level: 'hardware' | 'simulator' | 'documents';
  readonly against: string;
}

/** Registers `first` to `last`, both included. */
export interface AddressRange {
  readonly function: FunctionCode;
  readonly first: number;
  readonly last: number;
}

/** A range that may be read as a whole, or a part of it that cuts none of the values in it. */
export interface ReadableRange extends AddressRange {
  /** Registers of each value in it, from `first` on; default 1. No read begins or ends inside such a value. */
  readonly step?: number;
}

/** What a meter allows of a read. */
export interface ReadLimits {
  /** Registers in one request. */
  readonly maxRegisters: number;
  /** Address and length are multiples of this: a meter that answers half a float with an exception has 2. */
  readonly align: 1 | 2;
  /** Ranges that may be read as a whole, gaps included. Between registers outside of them no gap is crossed. */
  readonly readable: readonly ReadableRange[];
  /** Ranges that raise exceptions or do harm: no request touches them. */
  readonly forbidden: readonly AddressRange[];
  /** Milliseconds of rest that the meter needs between two requests. */
  readonly pauseMs: number;
  /** Floor of the time-out and of the quarantine, milliseconds. */
  readonly timeoutMinMs: number;
  readonly quarantineMs: number;
}

/** Serial settings a new meter has. `assumed`: no source says so; they are only where a search begins. */
export interface SerialSettings {
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  readonly unit: number;
  readonly assumed: boolean;
}

/** One thing that must hold of a meter of this kind. Numbers in V, Hz or W; `values` are raw numbers or text. */
export type ProbeCheck =
  | { readonly register: RegisterKey; readonly min: number; readonly max: number }
  | { readonly register: RegisterKey; readonly values: readonly string[] };

/** What a register map gives planner and decoder, whatever it was made from. */
export interface RegisterMap {
  readonly registers: readonly Register[];
  readonly limits: ReadLimits;
}

/** What can be billed from a meter of this kind. A sum of both directions is neither. */
export interface Bills {
  readonly import: boolean;
  readonly export: boolean;
}

interface Common {
  readonly [parsed]: true;
  /** Name in configurations, and the file's name. */
  readonly id: string;
  readonly manufacturer: string;
  /** Models with this very map. */
  readonly models: readonly string[];
  /** What tells two maps of one model name apart; null where there is only one. */
  readonly variant: string | null;
  readonly confidence: Confidence;
  readonly serial: SerialSettings;
  readonly notes: readonly string[];
}

/** Registers at fixed addresses. */
export interface ModbusProfile extends Common, RegisterMap {
  readonly protocol: 'modbus';
  readonly bills: Bills;
  readonly probe: readonly ProbeCheck[];
}

/** Registers that the meter itself lists (SunSpec): found by `sunspecWalk`, then a register map like any other. */
export interface SunspecProfile extends Common {
  readonly protocol: 'sunspec';
  /** Where the marker may lie, in the order in which it is looked for. */
  readonly bases: readonly number[];
  /** Models that give energy or power; the first one of these that the device has is used. */
  readonly sunspecModels: readonly number[];
  readonly limits: Omit<ReadLimits, 'readable' | 'forbidden'>;
}

/**
 * A meter's profile. DLMS/COSEM would be one more member: `protocol: 'dlms'` with OBIS codes instead of registers, a
 * link (HDLC, wrapper, P1) instead of serial settings, and no plan, since such meters push or answer by name.
 */
export type MeterProfile = ModbusProfile | SunspecProfile;
