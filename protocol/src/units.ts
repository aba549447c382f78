/**
 * Units of the wire format [wire §1.2]. Energy registers are cumulative watt-hours (u64, `bigint`), power is watts with import
 * positive (i32), times are UTC, a window is a quarter of an hour. Nothing signed is a floating-point number.
 */
import type { Brand } from './brand.js';

/** Watt-hours of a cumulative register or of a difference of two; never below 0, fits u64. */
export type Wh = Brand<bigint, 'Wh'>;
/** Smallest units of the energy token; never below 0, fits u64. */
export type BaseUnits = Brand<bigint, 'BaseUnits'>;
/** Number of a quarter of an hour: unix seconds / 900, rounded down; fits u32. */
export type Window = Brand<number, 'Window'>;
/** A number below every window: the highest of no windows, or the last window of a key that may speak for none. */
export const NO_WINDOW = -1;
/** A window, or `NO_WINDOW`. */
export type WindowOrNone = Window | typeof NO_WINDOW;

/** Length of a window in seconds. */
export const WINDOW_SECONDS = 900;
/** Length of a window in milliseconds. */
export const WINDOW_MS = 900_000;
/** A reading is near a boundary when it was taken at most this long before it [wire §4.6]. */
export const NEAR_BOUNDARY_MS = 60_000;
/** Above this uncertainty a clock counts as not synchronised and no statement is signed [gateway §8.2]. */
export const SYNCHRONISED_UNCERTAINTY_MS = 60_000;
/** 1 kWh = 1 GXT = 1,000,000 base units. */
export const BASE_UNITS_PER_WH = 1_000n;
export const MAX_U64 = (1n << 64n) - 1n;
export const MAX_U32 = 0xffff_ffff;
export const MAX_U16 = 0xffff;

/** Returns the window that contains the instant: floor(unix seconds / 900). `timeMs` in milliseconds since 1970. */
export function windowOf(timeMs: number): Window {
  return Math.floor(timeMs / WINDOW_MS) as Window;
}

/** Returns the window `count` quarters of an hour later, or earlier for a count below 0. Throws `RangeError` outside of u32. */
export function addWindows(window: Window, count: number): Window {
  return asWindow(window + count);
}

/** Returns the window `count` quarters of an hour earlier; `NO_WINDOW` when there is none. */
export function windowBefore(window: Window, count: number): WindowOrNone {
  return window < count ? NO_WINDOW : addWindows(window, -count);
}

/** Returns the latest of windows. */
export function latestWindow(first: Window, ...others: readonly WindowOrNone[]): Window {
  return Math.max(first, ...others) as Window;
}

/** Returns the earliest of windows. */
export function earliestWindow(first: Window, ...others: readonly Window[]): Window {
  return Math.min(first, ...others) as Window;
}

/** Returns the first millisecond of the window. */
export function windowStartAtMs(window: Window): number {
  return window * WINDOW_MS;
}

/** Returns the first millisecond after the window. */
export function windowEndAtMs(window: Window): number {
  return (window + 1) * WINDOW_MS;
}

/** Returns watt-hours as kWh text with three decimals, exact: 412n -> "0.412". */
export function formatKwh(wh: bigint): string {
  const sign = wh < 0n ? '-' : '';
  const magnitude = wh < 0n ? -wh : wh;
  return `${sign}${magnitude / 1000n}.${(magnitude % 1000n).toString().padStart(3, '0')}`;
}

/** Checks watt-hours. Throws `RangeError` outside of u64. */
export function asWh(value: bigint): Wh {
  return u64('watt-hours', value) as Wh;
}

/** Checks base units of the token. Throws `RangeError` outside of u64. */
export function asBaseUnits(value: bigint): BaseUnits {
  return u64('base units', value) as BaseUnits;
}

/** Checks the number of a window. Throws `RangeError` for anything but a whole number of u32. */
export function asWindow(value: number): Window {
  if (!Number.isInteger(value) || value < 0 || value > MAX_U32) throw new RangeError(`window ${value} is not in u32`);
  return value as Window;
}

/** Checks the number of a window; accepts `NO_WINDOW`. Throws `RangeError` for anything else. */
export function asWindowOrNone(value: number): WindowOrNone {
  return value === NO_WINDOW ? NO_WINDOW : asWindow(value);
}

/** Returns the base units that are minted for watt-hours. Throws `RangeError` when they do not fit u64. */
export function baseUnitsOf(wh: Wh): BaseUnits {
  return asBaseUnits(wh * BASE_UNITS_PER_WH);
}

function u64(what: string, value: bigint): bigint {
  if (value < 0n || value > MAX_U64) throw new RangeError(`${value} ${what} are not in u64`);
  return value;
}
