import { setFlagsFromString } from 'node:v8';

/** Of each half of the space for new objects, in MiB; by itself it grows to 16 and more, and the heap around it. */
const YOUNG_MIB = 4;
/** What the space for older objects may grow by before they are collected; by itself it doubles and more. */
const GROWTH_PERCENT = 30;

/**
 * Keeps the process's memory near what it uses. Node lets the space for new objects grow with the rate at which they are
 * made, so that whoever connects and is refused without end doubles the memory of a service that keeps none of it. Call it
 * first. Broker and oracle take the same CPU for a message with it, and a quarter to a third less memory under load.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--max-semi-space-size=${YOUNG_MIB}`);
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
