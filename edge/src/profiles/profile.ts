import type { FunctionCode, Register, RegisterKey } from './register.js';

/** Brand of a profile that `parseProfile` checked. */
declare const parsed: unique symbol;

/** States how sure a profile is, and what it was tried against. */
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

/** A range that may be read as a whole, or in parts that split no value of it. */
export interface ReadableRange extends AddressRange {
  /** Registers of each value in it, from `first` on; default 1. No read begins or ends inside such a value. */
  readonly step?: number;
}

/** Limits that a meter sets for a read. */
export interface ReadLimits {
  /** Largest number of registers in one request. */
  readonly maxRegisters: number;
  /** Divisor of address and length: 2 for a meter that answers half a float with an exception. */
  readonly align: 1 | 2;
  /** Ranges that may be read as a whole, gaps included. Between registers outside of them no gap is crossed. */
  readonly readable: readonly ReadableRange[];
  /** Ranges that raise exceptions or do harm: no request touches them. */
  readonly forbidden: readonly AddressRange[];
  /** Rest that the meter needs between two requests, ms. */
  readonly pauseMs: number;
  /** Lower bounds of the time-out and of the quarantine, ms. */
  readonly timeoutMinMs: number;
  readonly quarantineMs: number;
}

/** Serial settings of a new meter. `assumed`: no source states them; they only begin a search. */
export interface SerialSettings {
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  readonly unit: number;
  readonly assumed: boolean;
}

/** One check that must hold for a meter of this profile. Numbers in V, Hz or W; `values` are raw numbers or text. */
export type ProbeCheck =
  | { readonly register: RegisterKey; readonly min: number; readonly max: number }
  | { readonly register: RegisterKey; readonly values: readonly string[] };

/** The parts of a register map that planner and decoder need, whatever it was built from. */
export interface RegisterMap {
  readonly registers: readonly Register[];
  readonly limits: ReadLimits;
}

/** Directions that a meter of this profile can bill. A sum of both directions is neither. */
export interface Bills {
  readonly import: boolean;
  readonly export: boolean;
}

interface Common {
  readonly [parsed]: true;
  /** Id in configurations, and the file's name. */
  readonly id: string;
  readonly manufacturer: string;
  /** Models with this very map. */
  readonly models: readonly string[];
  /** Distinguishes two maps of one model name; null where there is only one. */
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

/**
 * Registers that the meter itself lists (SunSpec). `sunspecWalk` finds them; then they are a register map like any
 * other.
 */
export interface SunspecProfile extends Common {
  readonly protocol: 'sunspec';
  /** Addresses of the marker, in the order of the search. */
  readonly bases: readonly number[];
  /** Models that give energy or power, in order of preference. */
  readonly sunspecModels: readonly number[];
  readonly limits: Omit<ReadLimits, 'readable' | 'forbidden'>;
}

/**
 * A meter's profile. DLMS/COSEM would be one more member: `protocol: 'dlms'` with OBIS codes instead of registers, a
 * link (HDLC, wrapper, P1) instead of serial settings. It would have no plan, since such meters push or answer by name.
 */
export type MeterProfile = ModbusProfile | SunspecProfile;
