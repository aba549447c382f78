import { type FieldValues, LAYOUT, layOut } from './layout.js';
import { type MalformedCase, type PayloadCase, PLAIN, pairs } from './payloads.js';

const bytesOf = (fields: FieldValues) => layOut(LAYOUT[5], fields);

/** Returns payloads of kind 5: plain, each field at its bounds, one to eight pairs, and codes that nobody knows. */
export function moreValuesCases(): PayloadCase[] {
  const cases: PayloadCase[] = [];
  const add = (name: string, change: FieldValues = {}) => {
    const fields = { ...PLAIN[5], ...change };
    cases.push({ name: `kind 5, ${name}`, fields, bytes: bytesOf(fields) });
  };
  add('plain');
  for (const seq of ['1', '18446744073709551615']) add(`seq = ${seq}`, { seq });
  for (const [name, width] of [
    ['network_id', 8],
    ['meter_id', 16],
  ] as const)
    for (const byte of ['00', 'ff']) add(`${name} = ${byte} repeated`, { [name]: byte.repeat(width) });
  for (const time of ['-9223372036854775808', '9223372036854775807']) add(`time_ms = ${time}`, { time_ms: time });
  for (const uncertainty of ['0', '4294967295'])
    add(`time_uncertainty_ms = ${uncertainty}`, { time_uncertainty_ms: uncertainty });
  for (const value of ['-2147483647', '0', '2147483647']) add(`value_8 = ${value}`, { value_8: value });
  for (let count = 1; count <= 8; count++) {
    const used = Array.from({ length: count }, (_, i) => [i + 1, 100 * (i + 1)] as const);
    add(`${count} pairs`, pairs(...used));
  }
  add('unknown codes kept', pairs([12, 1], [65_535, -1]));
  return cases;
}

/** Returns payloads of kind 5 that every reader of kind 5 refuses as malformed. */
export function moreValuesMalformed(): MalformedCase[] {
  const cases: MalformedCase[] = [];
  const add = (name: string, change: FieldValues) =>
    cases.push({ name, what: 'payload', bytes: bytesOf({ ...PLAIN[5], ...change }), reason: 1 });
  add('seq 0', { seq: '0' });
  add('no pair', pairs());
  add('a value without a code', pairs([0, 1]));
  add('a value without a code behind others', pairs([1, 5], [0, 7]));
  add('a code twice', pairs([4, 1], [4, 2]));
  add('falling codes', pairs([4, 1], [3, 2]));
  add('an unused pair first', pairs([0, 0], [1, 5]));
  add('an unused pair between', pairs([1, 5], [0, 0], [2, 6]));
  add('a value that is not available', pairs([1, -2_147_483_648]));
  return cases;
}
