/** Ends a switch that handles every case. The types refuse a new case; a value from outside of the types throws here. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}
