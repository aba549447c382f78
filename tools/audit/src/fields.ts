import type { Decoded, Fields } from './read.js';

const DISPUTED = 2n;

/** Returns a number of an account, by its name in the IDL. Throws TypeError when the field is no number. */
export const num = (fields: Fields, name: string): bigint => {
  const value = fields[name];
  if (typeof value !== 'bigint') throw new TypeError(`${name} is not a number`);
  return value;
};
export const str = (fields: Fields, name: string): string => {
  const value = fields[name];
  if (typeof value !== 'string') throw new TypeError(`${name} is not text`);
  return value;
};
export const slotsOf = (account: Decoded): Fields[] => account.value.slots as unknown as Fields[];
export const keyOf = (fields: Fields) => `${num(fields, 'zone')}/${num(fields, 'page')}`;
export const named = (list: readonly Decoded[], name: string) => list.filter((account) => account.name === name);
export const isDisputed = (slot: Fields) => (num(slot, 'flags') & DISPUTED) !== 0n;
export const hex = (text: string) => Buffer.from(text, 'hex');
export const small = (fields: Fields, name: string) => Number(num(fields, name));

/** Returns the largest of the numbers and `least`. */
export function largest(values: readonly bigint[], least: bigint): bigint {
  let found = least;
  for (const value of values) if (value > found) found = value;
  return found;
}

/** Returns the smallest of the numbers and `most`. */
export function smallest(values: readonly bigint[], most: bigint): bigint {
  let found = most;
  for (const value of values) if (value < found) found = value;
  return found;
}
