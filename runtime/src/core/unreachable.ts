/** Ends a switch that handles every case: the types refuse a new one, and a value from outside the types throws here. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}
